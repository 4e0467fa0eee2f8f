import Basics
import Distribution
import Execution
import Models
import Planning
import PublishedRuns
import Reporting

/// This program's schedules on the machine of the published experiments.
struct OurTables {
  let experiments: PublishedExperiments

  static func description(_ sizes: WeatherMixer.Sizes, rows: Int, columns: Int, patch: (rows: Int, columns: Int))
    -> ModelDescription
  {
    ModelDescription(
      WeatherMixerSettings(
        patch: [patch.rows, patch.columns], channels: sizes.channels, tokenWidth: sizes.tokenWidth,
        channelWidth: sizes.channelWidth, blocks: sizes.blocks, output: .blend),
      ModelFields(
        gridRows: rows, gridColumns: columns, variables: sizes.variables, auxiliaries: sizes.auxiliaries,
        tendencyScale: [Float](repeating: 1, count: sizes.variables)))
  }

  private static func quarterDegree(_ sizes: WeatherMixer.Sizes) -> ModelDescription {
    description(sizes, rows: 720, columns: 1440, patch: (1, 60))
  }

  // MARK: One model on more and more GPUs

  /// Machines that differ from HoreKa in how GPUs are joined.
  private static let joints: [(name: String, change: @Sendable (inout MachineModel) -> Void)] = [
    ("as it is", { _ in }),
    (
      "an adapter for each GPU",
      {
        $0.betweenNodes.bytesPerSecond = $0.nodeBytesPerSecond ?? $0.betweenNodes.bytesPerSecond
        $0.nodeBytesPerSecond = nil
      }
    ), ("nodes of 8 GPUs", { $0.ranksPerNode = 8 }),
  ]

  func strongScaling() throws -> (table: Table, chart: LineChart) {
    var table = Table(header: [
      "16 TF model", "GPUs", "mesh", "s per step", "speed-up", "waiting, s", "GB sent", "GB held",
    ])
    var series: [LineChart.Series] = []
    let sizes = PublishedFigures.model(teraFLOP: 16)
    for (precision, color) in zip(PublishedFigures.Precision.allCases, LineChart.colors) {
      var speedups: [(x: Double, y: Double)] = []
      var one = 0.0
      for (joint, change) in Self.joints {
        let ours = try OurRuns(experiments, Self.quarterDegree(sizes), precision, change: change)
        for gpus in joint == Self.joints[0].name ? [1, 2, 4, 8] : [8] {
          guard let best = try ours.best(gpus: gpus) else { continue }
          if gpus == 1 { one = best.prediction.seconds }
          let speedup = one / best.prediction.seconds
          if joint == Self.joints[0].name { speedups.append((x: Double(gpus), y: speedup)) }
          table.rows.append([
            "\(precision.rawValue)" + (joint == Self.joints[0].name ? "" : ", \(joint)"), "\(gpus)", best.mesh,
            fixed(best.prediction.seconds, 3), fixed(speedup, 2), fixed(best.prediction.waitSeconds, 3),
            fixed(Double(best.bytesSent) / 1e9, 1), fixed(Double(best.prediction.memory.total) / 1e9, 1),
          ])
        }
      }
      series.append(LineChart.Series("ours, \(precision.rawValue), predicted", speedups, color: color))
      if let row = PublishedFigures.strongScaling.first(where: { $0.name == 16 && $0.precision == precision }) {
        let published = zip(PublishedFigures.ways, row.secondsPerStep).map {
          (x: Double($0), y: row.secondsPerStep[0] / $1)
        }
        var line = LineChart.Series("published, \(precision.rawValue)", published, color: color)
        line.isDashed = true
        line.marker = .hollow
        series.append(line)
      }
    }
    var chart = LineChart(
      title: "Speed-up of the 16 TFLOP model on one node, and on two", x: .init("GPUs", .logarithmic),
      y: .init("speed-up", .linear), series: series)
    chart.x.ticks = [1, 2, 4, 8]
    chart.y.includes = [8]
    return (table, chart)
  }

  // MARK: Many instances

  private struct Case {
    var name: String
    /// Samples of an instance of four GPUs.
    var batch: Int
    var row: PublishedFigures.DataParallel
  }

  /// As many samples per update as published, and four for the largest model too.
  private static let cases: [Case] = [
    Case(name: "1.06 B", batch: 4, row: PublishedFigures.dataParallel[0]),
    Case(name: "1.40 B", batch: 2, row: PublishedFigures.dataParallel[1]),
    Case(name: "2.57 B", batch: 1, row: PublishedFigures.dataParallel[2]),
    Case(name: "2.57 B", batch: 4, row: PublishedFigures.dataParallel[2]),
  ]

  func dataParallel(gpus counts: [Int]) throws -> (table: Table, chart: LineChart) {
    var table = Table(
      header: ["model, batch of an instance", "mesh", "gradients on the port, s", "reading, s, at \(counts.last ?? 4)"]
        + ([4] + counts).map { "\($0) GPUs" } + ["samples/s"])
    var series: [LineChart.Series] = []
    for (example, color) in zip(Self.cases, LineChart.colors) {
      for reads in [false, true] {
        let ours = try OurRuns(experiments, Self.quarterDegree(example.row.sizes), .tf32)
        let settings: (inout Layout) -> Void = {
          $0.batch = example.batch
          $0.storedBytesPerFrame = reads ? ours.stateBytes : 0
        }
        guard let one = try ours.best(gpus: 4, change: settings) else { continue }
        let runs = try counts.map { gpus in
          try ours.run(
            Mesh(replica: gpus / 4, domain: one.layout.mesh.domain, tensor: one.layout.mesh.tensor)
          ) {
            settings(&$0)
            $0.checkpointsActivations = one.layout.checkpointsActivations
          }
        }
        let efficiencies = runs.map { one.prediction.seconds / $0.prediction.seconds }
        // What no schedule can undercut: every gradient leaves each node, and its sum comes back; every sample is read once.
        let parameters = try ours.description.makeModel().parameters.elementCount
        let port = 8 * Double(parameters) / (4 * experiments.machine.allReduceBytesPerSecond(groups: 4))
        let read = 2 * Double(ours.stateBytes * example.batch * (counts.last ?? 4) / 4) / ours.readingBytesPerSecond
        let name = "\(example.name), batch \(example.batch)" + (reads ? ", reading" : "")
        table.rows.append(
          [name, one.mesh, fixed(port, 2), reads ? fixed(read, 2) : "", fixed(one.prediction.seconds, 3)]
            + zip(runs, efficiencies).map { "\(fixed($0.prediction.seconds, 3)) (\(fixed($1, 2)))" }
            + [fixed(runs.last?.samplesPerSecond ?? 0, 0)])
        var line = LineChart.Series(
          reads ? "" : name, zip([4] + counts, [1] + efficiencies).map { (x: Double($0), y: $1) }, color: color)
        line.isDashed = reads
        if reads { line.marker = .hollow }
        series.append(line)
      }
    }
    var chart = LineChart(
      title: "Efficiency of ours, one instance of 4 GPUs being 1 (predicted); dashed: with reading",
      x: .init("GPUs", .logarithmic),
      y: .init("efficiency", .linear), series: series)
    chart.x.ticks = ([4] + counts).map(Double.init)
    chart.y.includes = [0, 1]
    return (table, chart)
  }

  // MARK: Finer grids

  private static let grids: [(name: String, description: ModelDescription)] = [
    (
      "0.125°, 3.6 B",
      description(
        .init(
          tokens: 34560, pointsPerToken: 120, variables: 69, auxiliaries: 3, channels: 4320, tokenWidth: 17280,
          channelWidth: 4320, blocks: 3), rows: 1440, columns: 2880, patch: (2, 60))
    ),
    (
      "9 km, 4.6 B",
      description(
        .init(
          tokens: 54000, pointsPerToken: 120, variables: 138, auxiliaries: 3, channels: 4320, tokenWidth: 13500,
          channelWidth: 4320, blocks: 3), rows: 1800, columns: 3600, patch: (2, 60))
    ),
  ]

  /// - Parameters:
  ///   - counts: GPUs of an instance.
  ///   - total: GPUs of all instances together, which accumulate over so many micro-batches.
  func grids(gpus counts: [Int], total: Int, accumulation: Int) throws -> Table {
    var table = Table(
      header: [
        "grid, model", "GPUs per instance", "mesh", "GB held", "s per step", "samples/s", "of peak",
        "instances", "s per update", "samples/s", "efficiency",
      ])
    for (name, description) in Self.grids {
      let ours = try OurRuns(experiments, description, .tf32)
      for gpus in counts {
        let settings: (inout Layout) -> Void = { $0.storedBytesPerFrame = ours.stateBytes }
        guard let best = try ours.best(gpus: gpus, change: settings) else {
          table.rows.append([name, "\(gpus)", "fits no mesh"] + Array(repeating: "", count: 8))
          continue
        }
        let many = try ours.run(
          Mesh(replica: total / gpus, domain: best.layout.mesh.domain, tensor: best.layout.mesh.tensor)
        ) {
          settings(&$0)
          $0.checkpointsActivations = best.layout.checkpointsActivations
          $0.accumulation = accumulation
        }
        let efficiency = many.samplesPerSecond / best.samplesPerSecond / Double(total / gpus)
        let flops = Double(best.prediction.work.productFLOPs) / best.prediction.seconds
        table.rows.append([
          name, "\(gpus)", best.mesh + (best.layout.checkpointsActivations ? ", checkpointing" : ""),
          fixed(Double(best.prediction.memory.total) / 1e9, 1), fixed(best.prediction.seconds, 3),
          fixed(best.samplesPerSecond, 2), "\(fixed(100 * flops / ours.precision.peak, 0)) %",
          "\(total / gpus)", fixed(many.prediction.seconds, 3), fixed(many.samplesPerSecond, 1), fixed(efficiency, 2),
        ])
      }
    }
    return table
  }
}
