import Foundation
import FoundationXML
import Testing

@testable import Reporting

@Suite struct LineChartTests {
  private static let chart: LineChart = {
    var x = LineChart.Axis("ranks", .logarithmic)
    x.ticks = [1, 2, 4]
    var y = LineChart.Axis("% of <the> first & best", .linear)
    y.includes = [0, 100]
    var dashed = LineChart.Series("b", [(1, 10), (4, .nan), (0, 3)], color: "#000000")
    dashed.isDashed = true
    dashed.marker = .hollow
    return LineChart(
      title: "A \"title\"", x: x, y: y,
      series: [LineChart.Series("a", [(1, 100), (2, 90), (4, 75)], color: "#123456"), dashed])
  }()

  /// Elements and attributes of a document, in order.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [(name: String, attributes: [String: String])] = []
    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) { elements.append((name, attributes)) }
  }

  @Test func isADocumentOfItsOwn() throws {
    let reader = Reader()
    let parser = XMLParser(data: Data(Self.chart.svg().utf8))
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    #expect(reader.elements.first?.name == "svg")
    let lines = reader.elements.filter { $0.name == "polyline" }
    // What is not finite, or not above zero on a logarithmic axis, is left out; one point makes no line.
    #expect(lines.count == 1)
    let points = try #require(lines[0].attributes["points"]).split(separator: " ").map {
      $0.split(separator: ",").compactMap { Double($0) }
    }
    #expect(points.count == 3 && points.allSatisfy { $0.count == 2 })
    // Equal ratios are equal steps; higher is further up.
    #expect(abs((points[2][0] - points[1][0]) - (points[1][0] - points[0][0])) < 0.11)
    #expect(points[0][1] < points[1][1] && points[1][1] < points[2][1])
    for point in points { #expect((72...700).contains(point[0]) && (62...370).contains(point[1])) }
    // Three and one of the series, and one each of the legend.
    #expect(reader.elements.filter { $0.name == "circle" }.count == 6)
  }

  @Test func oneValueOrNoneIsNoTrouble() {
    for points in [[], [(1.0, 1.0)], [(Double.nan, 1.0)]] as [[(x: Double, y: Double)]] {
      for scale in [LineChart.Scale.linear, .logarithmic] {
        let chart = LineChart(
          title: "", x: .init("", scale), y: .init("", scale), series: [.init("a", points, color: "red")])
        #expect(chart.svg().hasSuffix("</svg>\n") && !chart.svg().contains("–"))
      }
    }
  }

  @Test(arguments: [
    (0.25, "0.25"), (1.0, "1"), (16, "16"), (4_096, "4096"), (20_000, "20k"), (3.5e6, "3.5M"), (1e-3, "0.001"),
  ])
  func numbersAreShort(value: Double, text: String) { #expect(LineChart.text(value) == text) }
}
