import Basics
import Planning
import Reporting

/// The pictures of a sweep.
struct ScalingCharts {
  private let points: [PlanSweep.Point]
  private let machine: PlannedMachine

  init(_ points: [PlanSweep.Point], _ machine: PlannedMachine) {
    self.points = points
    self.machine = machine
  }

  /// By the names of their files.
  var all: [(name: String, chart: LineChart)] { Array(zip(ScalingCharts.names, [throughput, efficiency, roofline])) }

  static let names = ["throughput", "efficiency", "roofline"]

  private static let scalings = [
    ("strong", "samples of an update kept"), ("weak", "samples of an update per rank kept"),
  ]

  private func points(_ scaling: String) -> [PlanSweep.Point] { points.filter { $0.scaling == scaling } }

  private var title: String { "\(machine.name), \(machine.precision)" }

  private var rankAxis: LineChart.Axis {
    var axis = LineChart.Axis("ranks", .logarithmic)
    axis.ticks = Set(points.map { Double($0.ranks) }).sorted()
    return axis
  }

  private var throughput: LineChart {
    var series: [LineChart.Series] = []
    for ((name, what), color) in zip(ScalingCharts.scalings, LineChart.colors) {
      let own = points(name)
      series.append(
        LineChart.Series("\(name): \(what)", own.map { (Double($0.ranks), $0.layout.samplesPerSecond) }, color: color))
    }
    if let first = points.first, let last = points.map(\.ranks).max() {
      let perRank = first.layout.samplesPerSecond / Double(first.ranks)
      var ideal = LineChart.Series(
        "ideal", [first.ranks, last].map { (Double($0), perRank * Double($0)) }, color: "#888888")
      ideal.isDashed = true
      ideal.marker = .none
      series.append(ideal)
    }
    return LineChart(
      title: "Samples per second: \(title)", x: rankAxis, y: .init("samples per second", .logarithmic), series: series)
  }

  private var efficiency: LineChart {
    var y = LineChart.Axis("% of the first", .linear)
    y.includes = [0, 100]
    return LineChart(
      title: "Samples per second and rank, relative to the fewest ranks: \(title)", x: rankAxis, y: y,
      series: zip(ScalingCharts.scalings, LineChart.colors).map { scaling, color in
        LineChart.Series(
          "\(scaling.0): \(scaling.1)", points(scaling.0).map { (Double($0.ranks), 100 * $0.efficiency) }, color: color)
      })
  }

  /// The rate of a rank over operations per byte: of its passes over memory, and of what it sends.
  private var roofline: LineChart {
    let peak = machine.model.peakFLOPsPerSecond * 1e-12
    let memory = machine.memoryBytesPerSecond * 1e-12
    let link = machine.model.betweenNodes.bytesPerSecond * 1e-12
    func place(_ point: PlanSweep.Point, _ bytes: Int) -> (x: Double, y: Double) {
      let flops = Double(point.layout.productFLOPs)
      return (flops / Double(max(1, bytes)), flops / point.layout.secondsPerUpdate * 1e-12)
    }
    let ofMemory = points.map { place($0, $0.layout.passBytes) }
    let sending = points.filter { $0.layout.bytesSent.values.reduce(0, +) > 0 }
    let ofLinks = sending.map { place($0, $0.layout.bytesSent.values.reduce(0, +)) }
    let most = max(4 * peak / min(memory, link), (ofMemory + ofLinks).map(\.x).max() ?? 1)
    let least = min(0.25 * peak / max(memory, link), (ofMemory + ofLinks).map(\.x).min() ?? 1)
    func roof(_ name: String, _ rate: Double, _ color: String, isDashed: Bool) -> LineChart.Series {
      var series = LineChart.Series(
        name, [(least, rate * least), (peak / rate, peak), (most, peak)].filter { $0.0 >= least && $0.0 <= most },
        color: color)
      series.marker = .none
      series.isDashed = isDashed
      return series
    }
    func dots(_ name: String, _ points: [(x: Double, y: Double)], _ color: String, hollow: Bool) -> LineChart.Series {
      var series = LineChart.Series(name, points, color: color)
      series.hasLine = false
      series.marker = hollow ? .hollow : .filled
      return series
    }
    let colors = LineChart.colors
    return LineChart(
      title: "Roofline of a rank: \(title)", x: .init("operations of GEMMs per byte", .logarithmic),
      y: .init("TFLOP/s", .logarithmic),
      series: [
        roof("memory", memory, colors[0], isDashed: false),
        dots("passes over memory", ofMemory, colors[0], hollow: false),
        roof("link between nodes", link, colors[1], isDashed: true), dots("sent", ofLinks, colors[1], hollow: true),
      ])
  }
}
