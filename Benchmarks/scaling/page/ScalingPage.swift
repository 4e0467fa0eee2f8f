import Basics
import Planning
import PublishedRuns
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// Writes the tables and pictures of docs/scaling.md: `scaling-page [PAGE [FOLDER]]`.
@main struct ScalingPage {
  static func main() {
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      try write(
        page: arguments.first ?? "docs/scaling.md",
        folder: arguments.count > 1 ? arguments[1] : "docs/results/scaling")
    } catch {
      print("\(error)")
      exit(1)
    }
  }

  private static func write(page path: String, folder: String) throws {
    try Files.createDirectory(folder)
    var page = try Page(path)
    func add(_ name: String, _ table: Table, _ chart: LineChart? = nil) throws {
      try page.replace(name, with: table.markdown)
      try Files.writeAtomically(table.csv, to: "\(folder)/\(name).csv")
      if let chart { try Files.writeAtomically(chart.svg(), to: "\(folder)/\(name).svg") }
    }
    let experiments = PublishedExperiments()
    let published = PublishedTables(experiments: experiments)
    try page.replace("calibration", with: published.calibration)
    try page.replace("errors", with: published.errors)
    try add("strong-scaling", published.strongScaling, published.strongScalingChart)
    try add("larger-models", published.largerModels)
    try add("data-parallel", published.dataParallel, published.dataParallelChart)
    try add("sensitivity", published.sensitivity)

    let ours = OurTables(experiments: experiments)
    let strong = try ours.strongScaling()
    try add("ours-strong-scaling", strong.table, strong.chart)
    try add("ours-grids", try ours.grids(gpus: [4, 8, 16], total: 256, accumulation: 4))
    let parallel = try ours.dataParallel(gpus: [8, 32, 128, 256, 1024, 4096])
    try add("ours-data-parallel", parallel.table, parallel.chart)
    try page.write()
  }
}
