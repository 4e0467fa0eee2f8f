import Basics
import Geometry

/// A graph as maps, one below the other: for each set of edges its points and edges on a plane of longitude and latitude.
public struct GraphPlot {
  /// Degrees.
  public struct Window: Sendable {
    public var north, west, south, east: Double

    public init(north: Double, west: Double, south: Double, east: Double) {
      (self.north, self.west, self.south, self.east) = (north, west, south, east)
    }
  }

  private let graph: HeteroGraph
  private let window: Window
  private let place: String

  private static let width = 1_000.0
  /// More edges or points than this on one map would be a grey area, and a file that no browser opens.
  private static let limit = 30_000

  /// - Parameter window: what is drawn; nil: the area of all points.
  /// - Throws: when the window is empty.
  public init(_ graph: HeteroGraph, window: Window?, place: String) throws {
    self.graph = graph
    self.place = place
    self.window = window ?? Window(north: 90, west: -180, south: -90, east: 180)
    guard self.window.north > self.window.south, self.window.east > self.window.west else {
      throw JigsawError(place, "has no such area", expected: "north above south and east beyond west")
    }
  }

  private var scale: Double { Self.width / (window.east - window.west) }
  private var height: Double { (window.north - window.south) * scale }

  /// The mark that tells a picture of a graph from others.
  public static let mark = "<desc>jigsaw graph plot</desc>"

  public func svg() -> String {
    let titles = graph.edges.isEmpty ? [nil] : graph.edges.map { Optional($0) }
    let panel = height + 46
    var out = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(text(Self.width + 20))" \
      height="\(text(panel * Double(titles.count) + 10))" font-family="sans-serif" font-size="13">
      \(Self.mark)
      <rect width="100%" height="100%" fill="white"/>

      """
    for (number, set) in titles.enumerated() {
      out += "<g transform=\"translate(10,\(text(panel * Double(number) + 30)))\">\n"
      out += self.panel(set, number)
      out += "</g>\n"
    }
    return out + "</svg>\n"
  }

  /// A map with its title.
  private func panel(_ set: HeteroGraph.EdgeSet?, _ number: Int) -> String {
    let size = "width=\"\(text(Self.width))\" height=\"\(text(height))\""
    var body = coastlines()
    var notes: [String] = []
    if let set { body += edges(set, &notes) }
    let names = set.map { $0.source == $0.destination ? [$0.source] : [$0.source, $0.destination] }
    for name in names ?? graph.spaces.keys.sorted() { body += points(name, &notes) }
    let title =
      set.map { "\($0.source) → \($0.destination): \($0.count) edges" } ?? "\(graph.spaces.count) sets of points"
    return """
      <clipPath id="map\(number)"><rect \(size)/></clipPath>
      <text x="0" y="-8">\(markupText(([title] + notes).joined(separator: "; ")))</text>
      <g clip-path="url(#map\(number))">
      \(body)</g>
      <rect \(size) fill="none" stroke="#888"/>

      """
  }

  // MARK: Marks

  private func points(_ name: String, _ notes: inout [String]) -> String {
    guard let space = graph.spaces[name] else { return "" }
    let isMesh = graph.edges.contains { $0.source == name && $0.destination == name }
    let colour = isMesh ? "#c2410c" : "#1d4ed8"
    let inside = (0..<space.count).map { position(space, $0) }.filter(isInside)
    let step = max(1, (inside.count + Self.limit - 1) / Self.limit)
    notes.append("\(name) \(space.count) points\(step > 1 ? ", each \(step)th drawn" : "")")
    let radius = min(3, max(0.6, 40 / Double(inside.count / step + 1).squareRoot()))
    let path = stride(from: 0, to: inside.count, by: step).map { index in
      "M\(text(inside[index].x)) \(text(inside[index].y))h0"
    }.joined()
    return
      "<path d=\"\(path)\" stroke=\"\(colour)\" stroke-width=\"\(text(2 * radius))\" stroke-linecap=\"round\" fill=\"none\"/>\n"
  }

  private func edges(_ set: HeteroGraph.EdgeSet, _ notes: inout [String]) -> String {
    guard let from = graph.spaces[set.source], let to = graph.spaces[set.destination] else { return "" }
    let inside = (0..<set.count).filter { isInside(position(to, Int(set.destinations[$0]))) }
    let step = max(1, (inside.count + Self.limit - 1) / Self.limit)
    if step > 1 { notes.append("each \(step)th edge drawn") }
    var path = ""
    for index in stride(from: 0, to: inside.count, by: step) {
      let edge = inside[index]
      let (a, b) = (position(from, Int(set.sources[edge])), position(to, Int(set.destinations[edge])))
      // Around the back of the globe: each end to the margin.
      if abs(a.x - b.x) > 180 * scale {
        let turn = (a.x > b.x ? -360 : 360) * scale
        path += line(a.x + turn, a.y, b.x, b.y) + line(a.x, a.y, b.x - turn, b.y)
      } else {
        path += line(a.x, a.y, b.x, b.y)
      }
    }
    let width = min(1, max(0.15, 90 / Double(inside.count / step + 1).squareRoot()))
    return
      "<path d=\"\(path)\" stroke=\"#475569\" stroke-width=\"\(text(width))\" stroke-opacity=\"0.7\" fill=\"none\"/>\n"
  }

  private func line(_ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double) -> String {
    "M\(text(x0)) \(text(y0))L\(text(x1)) \(text(y1))"
  }

  /// Lines of differences in hundredths of a degree, longitude first.
  private func coastlines() -> String {
    guard let lines = try? JSONValue(parsing: Array(Resource.coastlines.utf8), place: "coastlines").array else {
      return ""
    }
    var path = ""
    for numbers in lines.compactMap(\.integers) {
      var (longitude, latitude) = (0, 0)
      for index in stride(from: 0, to: numbers.count - 1, by: 2) {
        longitude += numbers[index]
        latitude += numbers[index + 1]
        let point = place(latitude: Double(latitude) / 100, longitude: Double(longitude) / 100, isTurned: false)
        path += "\(index == 0 ? "M" : "L")\(text(point.x)) \(text(point.y))"
      }
    }
    return "<path d=\"\(path)\" stroke=\"#bbb\" stroke-width=\"0.8\" fill=\"none\"/>\n"
  }

  // MARK: Places

  private typealias Position = (x: Double, y: Double)

  private func position(_ space: PointSpace, _ point: Int) -> Position {
    place(
      latitude: Double(space.latitudes[point]) * 180 / .pi, longitude: Double(space.longitudes[point]) * 180 / .pi,
      isTurned: true)
  }

  /// - Parameter isTurned: whether the longitude is brought into the window by whole turns.
  private func place(latitude: Double, longitude: Double, isTurned: Bool) -> Position {
    let offset = longitude - window.west
    let east = isTurned ? offset - 360 * (offset / 360).rounded(.down) : offset
    return (east * scale, (window.north - latitude) * scale)
  }

  private func isInside(_ position: Position) -> Bool {
    position.x >= 0 && position.x <= Self.width && position.y >= 0 && position.y <= height
  }

  /// Tenths of a pixel.
  private func text(_ value: Double) -> String {
    let tenths = Int(saturating: (value * 10).rounded())
    return tenths % 10 == 0 ? String(tenths / 10) : String(Double(tenths) / 10)
  }
}
