import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Lines over logarithmic or linear axes as an SVG file that stands alone.
public struct LineChart: Sendable {
  public enum Scale: Sendable { case linear, logarithmic }

  public struct Series: Sendable {
    public var name: String
    public var points: [(x: Double, y: Double)]
    public var color: String
    public var isDashed = false
    public var hasLine = true
    /// Filled circles, hollow ones or none.
    public var marker = Marker.filled

    public enum Marker: Sendable { case none, filled, hollow }

    public init(_ name: String, _ points: [(x: Double, y: Double)], color: String) {
      self.name = name
      self.points = points
      self.color = color
    }
  }

  public struct Axis: Sendable {
    public var label: String
    public var scale: Scale
    /// Where numbers stand; empty: at round ones.
    public var ticks: [Double] = []
    /// Shown at least.
    public var includes: [Double] = []

    public init(_ label: String, _ scale: Scale) {
      self.label = label
      self.scale = scale
    }
  }

  public var title: String
  public var x, y: Axis
  public var series: [Series]

  /// Colours of the project's pictures, distinguished also by those who see few colours.
  public static let colors = ["#1f6fb2", "#d98c3f", "#9a6fb0", "#4f9a6a", "#b2483f", "#666666"]

  public init(title: String, x: Axis, y: Axis, series: [Series]) {
    self.title = title
    self.x = x
    self.y = y
    self.series = series
  }

  private static let (width, height) = (720.0, 420.0)
  private static let (left, right, top, bottom) = (72.0, 20.0, 62.0, 50.0)

  public func svg() -> String {
    let (width, height, left, top) = (LineChart.width, LineChart.height, LineChart.left, LineChart.top)
    let (across, down) = (width - left - LineChart.right, height - top - LineChart.bottom)
    let shown = series.map { series in
      series.points.filter { isShown($0.x, x.scale) && isShown($0.y, y.scale) }
    }
    let horizontal = Range(x, shown.flatMap { $0.map(\.x) })
    let vertical = Range(y, shown.flatMap { $0.map(\.y) })
    func px(_ value: Double) -> String { fixed(left + across * horizontal.position(value), 1) }
    func py(_ value: Double) -> String { fixed(top + down * (1 - vertical.position(value)), 1) }
    let (low, high) = (fixed(top + down, 1), fixed(top, 1))

    var out = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(width))\" height=\"\(Int(height))\" "
        + "viewBox=\"0 0 \(Int(width)) \(Int(height))\" font-family=\"sans-serif\" font-size=\"11\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/><text x=\"8\" y=\"18\" font-size=\"14\">\(markupText(title))</text>",
    ]
    for tick in horizontal.ticks {
      out.append(
        "<line x1=\"\(px(tick))\" x2=\"\(px(tick))\" y1=\"\(high)\" y2=\"\(low)\" stroke=\"#e4e4e4\"/>"
          + "<text x=\"\(px(tick))\" y=\"\(fixed(top + down + 15, 1))\" text-anchor=\"middle\">\(LineChart.text(tick))</text>"
      )
    }
    for tick in vertical.ticks {
      out.append(
        "<line x1=\"\(fixed(left, 1))\" x2=\"\(fixed(left + across, 1))\" y1=\"\(py(tick))\" y2=\"\(py(tick))\" "
          + "stroke=\"#e4e4e4\"/><text x=\"\(fixed(left - 6, 1))\" y=\"\(py(tick))\" dy=\"4\" text-anchor=\"end\">"
          + "\(LineChart.text(tick))</text>")
    }
    out.append(
      "<text x=\"\(fixed(left + across / 2, 1))\" y=\"\(fixed(height - 12, 1))\" text-anchor=\"middle\">\(markupText(x.label))</text>"
        + "<text transform=\"translate(16 \(fixed(top + down / 2, 1))) rotate(-90)\" text-anchor=\"middle\">\(markupText(y.label))</text>"
    )
    var legend = 8.0
    for (series, points) in zip(series, shown) {
      let dashes = series.isDashed ? " stroke-dasharray=\"5 4\"" : ""
      if series.hasLine && points.count > 1 {
        let path = points.map { "\(px($0.x)),\(py($0.y))" }.joined(separator: " ")
        out.append(
          "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(series.color)\" stroke-width=\"1.8\"\(dashes)/>")
      }
      let circles = points.map { circle(px($0.x), py($0.y), series) }
      out += circles.filter { !$0.isEmpty }
      if series.hasLine {
        out.append(
          "<line x1=\"\(fixed(legend, 1))\" x2=\"\(fixed(legend + 22, 1))\" y1=\"36\" y2=\"36\" stroke=\"\(series.color)\" "
            + "stroke-width=\"1.8\"\(dashes)/>")
      }
      out.append(circle(fixed(legend + 11, 1), "36", series))
      out.append("<text x=\"\(fixed(legend + 28, 1))\" y=\"40\">\(markupText(series.name))</text>")
      legend += 46 + 6.2 * Double(series.name.count)
    }
    return out.filter { !$0.isEmpty }.joined(separator: "\n") + "\n</svg>\n"
  }

  private func circle(_ x: String, _ y: String, _ series: Series) -> String {
    switch series.marker {
    case .none: ""
    case .filled: "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"3.2\" fill=\"\(series.color)\"/>"
    case .hollow:
      "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"3.2\" fill=\"white\" stroke=\"\(series.color)\" stroke-width=\"1.6\"/>"
    }
  }

  private func isShown(_ value: Double, _ scale: Scale) -> Bool {
    value.isFinite && (scale == .linear || value > 0)
  }

  /// "0.25", "16", "20k", "3.5M".
  static func text(_ value: Double) -> String {
    let steps: [(Double, String)] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")]
    let (unit, letter) = steps.first { abs(value) >= $0.0 } ?? (1, "")
    var digits = significant(value / (letter == "k" ? 1e3 : unit), 3)
    if digits.contains(".") && !digits.contains("e") {
      while digits.hasSuffix("0") { digits.removeLast() }
      if digits.hasSuffix(".") { digits.removeLast() }
    }
    return digits + letter
  }

  /// The range of an axis.
  private struct Range {
    let lower, upper: Double
    let scale: Scale
    let ticks: [Double]

    init(_ axis: Axis, _ values: [Double]) {
      scale = axis.scale
      let all = values + axis.includes + axis.ticks
      var (least, most) = (all.min() ?? 1, all.max() ?? 10)
      switch axis.scale {
      case .linear:
        least = min(least, 0)
        if most <= least { most = least + 1 }
        let magnitude = pow(10, log10(most - least).rounded(.down))
        let step = [0.2, 0.5, 1].map { $0 * magnitude }.last { (most - least) / $0 >= 4 } ?? 0.2 * magnitude
        upper = (most / step).rounded(.up) * step
        lower = (least / step).rounded(.down) * step
        let (first, count) = (lower, Int(saturating: ((upper - lower) / step).rounded()))
        ticks = axis.ticks.isEmpty ? (0...max(1, count)).map { first + Double($0) * step } : axis.ticks
      case .logarithmic:
        if most <= least { (least, most) = (least / 2, most * 2) }
        lower = least / 1.15
        upper = most * 1.15
        let decades = Int(saturating: log10(lower).rounded(.down))...Int(saturating: log10(upper).rounded(.up))
        let factors = log10(upper / lower) < 2.5 ? [1.0, 2, 5] : [1.0]
        let (low, high) = (lower, upper)
        ticks =
          axis.ticks.isEmpty
          ? decades.flatMap { decade in factors.map { $0 * pow(10, Double(decade)) } }.filter {
            $0 >= low && $0 <= high
          } : axis.ticks
      }
    }

    /// 0 at the lower end, 1 at the upper one.
    func position(_ value: Double) -> Double {
      scale == .linear ? (value - lower) / (upper - lower) : log(value / lower) / log(upper / lower)
    }
  }
}
