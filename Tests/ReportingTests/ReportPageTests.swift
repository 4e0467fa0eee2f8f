import Basics
import Datasets
import Reporting
import Testing

@Suite("Report page")
struct ReportPageTests {
  @Test("A full report has every section, the notice twice and the hints")
  func sections() throws {
    let html = try ReportPage(Sample.contents()).html()
    for id in ["maps", "leads", "scorecard", "spectra", "training", "about"] {
      #expect(html.contains("<section id=\"\(id)\">"), "\(id)")
      #expect(html.contains("<a href=\"#\(id)\">"), "\(id)")
    }
    #expect(html.contains("<h1>sample</h1>"))
    #expect(html.ranges(of: "These data are simulated.").count == 2)
    #expect(html.contains("<code>jigsaw make it</code>"))
    #expect(html.contains("run: sample &lt;here&gt;"))
    #expect(html.contains("Natural Earth"))
  }

  @Test("Parts that are not there leave no trace")
  func empty() throws {
    let html = try ReportPage(ReportContents(title: "bare", origin: "Made by a test.")).html()
    for id in ["maps", "leads", "scorecard", "spectra", "training"] { #expect(!html.contains("id=\"\(id)\"")) }
    #expect(!html.contains("class=\"notice\""))
    #expect(!html.contains("id=\"map-data\"") && !html.contains("Natural Earth"))
    #expect(try jsonBlocks(html).keys.sorted() == ["report-data"])
  }

  @Test("The page refers to nothing outside itself")
  func selfContained() throws {
    let html = try ReportPage(Sample.contents()).html()
    for reference in ["http://", "https://", "//cdn", " src=", "@import", "url(h", "fetch(", "XMLHttpRequest"] {
      #expect(!html.contains(reference), "\(reference)")
    }
    #expect(html.contains("default-src 'none'"))
  }

  @Test("The JSON blocks parse and hold the values in shown units")
  func blocks() throws {
    let blocks = try jsonBlocks(try ReportPage(Sample.contents()).html())
    #expect(blocks.keys.sorted() == ["coastlines", "map-data", "report-data"])
    let scores = try #require(blocks["report-data"]?["scores"])
    #expect(scores["leads"]?.integers == Sample.leads)
    // Specific humidity is shown in g/kg, and climatology has no anomaly correlation.
    let q = scores["values"]?["model"]?["q_850"]?["globe"]?["rmse"]?.array?.compactMap(\.double)
    #expect(q == Sample.leads.map { Double($0) * 1_000 })
    #expect(scores["values"]?["climatology"]?["t2m"]?["globe"]?["acc"]?.array == [.null, .null, .null, .null])
    #expect(blocks["report-data"]?["training"]?["stages"]?.array?.first?["update"]?.integer == 30)
    #expect(blocks["map-data"]?["fields"]?.array?.count == 3)
    let lines = try #require(blocks["coastlines"]?.array)
    #expect(lines.count > 100)
    #expect(lines.allSatisfy { line in line.integers.map { $0.count % 2 == 0 } ?? false })
  }

  @Test(
    "Names can't break out of the page",
    arguments: ["</script><script>alert(1)</script>", "a\"b'c & <!--", "\u{2028}é"])
  func escaping(name: String) throws {
    var contents = Sample.contents(title: name, channels: [Channel(variable: name)])
    contents.notice = name
    contents.summary = [name]
    contents.facts = [.init(name, name)]
    contents.hints = [.init(name, command: name)]
    contents.documents = [.init(title: name, text: name)]
    let html = try ReportPage(contents).html()
    #expect(!html.contains("<script>alert"))
    #expect(!html.contains("<!--"))
    // Four blocks of script: three of data and the program.
    #expect(html.ranges(of: "</script>").count == 4)
    let blocks = try jsonBlocks(html)
    #expect(blocks["report-data"]?["channels"]?.array?.first?["name"]?.string == name)
    #expect(blocks["map-data"]?["fields"]?.array?.first?["name"]?.string == name)
  }

  @Test("Without scripts there is a table of scores")
  func noScript() throws {
    let html = try ReportPage(Sample.contents()).html()
    let start = try #require(html.firstRange(of: "<noscript>\n<div class=\"scroll\"><table"))
    let table = html[start.lowerBound...].prefix(2_000)
    #expect(table.contains("<td>24.0 (0.80)</td>"))
    #expect(table.contains("z 500 hPa"))
  }
}
