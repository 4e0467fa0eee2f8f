import Basics
import Datasets
import Geometry
import Verification

/// The report as one HTML page: style, scripts, coastlines and data are all in it, and it asks nothing of the network.
public struct ReportPage {
  private let contents: ReportContents

  public init(_ contents: ReportContents) { self.contents = contents }

  public func html() throws -> String {
    // The policy forbids what the page doesn't need anyway: loading anything from anywhere.
    let head = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
      script-src 'unsafe-inline'; img-src data:">
      <link rel="icon" href="data:,">
      <title>\(markupText(contents.title)) – Jigsaw report</title>
      <style>
      \(Resource.style)</style>
      </head>
      <body>

      """
    var page = head + header()
    page += "<main class=\"wrap\">\n" + hints() + keyFigures()
    for section in sections { page += section.html }
    page += about() + "</main>\n"
    page +=
      "<footer class=\"wrap\">\(markupText(contents.origin))"
      + "\(contents.maps == nil ? "" : " Coastlines: Natural Earth (public domain).")</footer>\n"
    page += "<div id=\"tip\" role=\"status\" hidden></div>\n"
    page += try jsonBlock("report-data", ReportData.json(contents))
    if let maps = contents.maps {
      page += try jsonBlock("map-data", ReportData.json(maps))
      page += "<script type=\"application/json\" id=\"coastlines\">\(Resource.coastlines)</script>\n"
    }
    return page + "<script>\n(() => {\n\"use strict\";\n\(Resource.scripts)})();\n</script>\n</body>\n</html>\n"
  }

  // MARK: Header

  private func header() -> String {
    var html = "<header class=\"top\"><div class=\"wrap\">\n<p class=\"over\">Jigsaw report</p>\n"
    html += "<h1>\(markupText(contents.title))</h1>\n"
    // Pieces break as wholes, so that dates stay on one line.
    html +=
      "<p class=\"summary\">\(contents.summary.map { "<span>\(markupText($0))</span>" }.joined(separator: " · "))</p>\n"
    html += notice()
    let links = sections.map { "<a href=\"#\($0.id)\">\($0.link)</a>" } + ["<a href=\"#about\">Configuration</a>"]
    return html + "<nav aria-label=\"Sections\">\(links.joined())</nav>\n</div></header>\n"
  }

  private func notice() -> String {
    contents.notice.map { "<p class=\"notice\"><strong>Note</strong> \(markupText($0))</p>\n" } ?? ""
  }

  private func hints() -> String {
    contents.hints.map { hint in
      let command = hint.command.map { " <code>\(markupText($0))</code>" } ?? ""
      return "<p class=\"hint\">\(markupText(hint.text))\(command)</p>\n"
    }.joined()
  }

  private func keyFigures() -> String {
    if contents.keyFigures.isEmpty { return "" }
    let tiles = contents.keyFigures.map {
      "<div class=\"tile\"><b>\(markupText($0.value))</b><span>\(markupText($0.label))</span>"
        + "<small>\(markupText($0.detail))</small></div>\n"
    }
    return "<div class=\"tiles\">\n\(tiles.joined())</div>\n"
  }

  // MARK: Sections

  private struct Section {
    /// `link` is the short title for the list of sections.
    let id, link, html: String

    init(_ id: String, _ title: String, link: String? = nil, lead: String, body: String) {
      self.id = id
      self.link = link ?? title
      html = "<section id=\"\(id)\">\n<h2>\(title)</h2>\n<p class=\"lead\">\(lead)</p>\n\(body)</section>\n"
    }
  }

  private var sections: [Section] {
    let noScript =
      "<noscript><p class=\"hint\">This part is drawn by the page's script, which is turned off.</p></noscript>\n"
    var list: [Section] = []
    if let maps = contents.maps {
      var note = maps.block > 1 ? " For display, \(maps.block) × \(maps.block) grid points are averaged into one." : ""
      if let cells = maps.cells {
        note = " Each place has the value of the nearest point."
        if !cells.areAll { note += " Of the points, \(cells.points.count) are shown." }
      }
      list.append(
        Section(
          "maps", "Maps",
          lead: (maps.hasTruth
            ? "Forecast, truth and error at the same valid time." : "Forecasts without a truth to compare with.")
            + " Point at or tap a map for values; the chart follows that point through the forecast.\(note)",
          body: "<div id=\"map-view\"></div>\n" + noScript))
    }
    if let scores = contents.scores {
      list.append(
        Section(
          "leads", "Scores against lead time", link: "Scores",
          lead: "Area-weighted means over \(scores.forecastCount) forecasts, with baselines beside.",
          body: "<div id=\"lead-view\"></div>\n" + noScript))
      list.append(
        Section(
          "scorecard", "Scorecard",
          lead: "RMSE of the model relative to persistence: below 1 (blue) is better than no forecast.",
          body: "<div id=\"scorecard-view\"></div>\n<noscript>\n\(scoreTable(scores))</noscript>\n" + notice()))
    }
    if contents.spectra != nil {
      list.append(
        Section(
          "spectra", "Zonal power spectra", link: "Spectra",
          lead: "How much variance a forecast has at each scale, over 30°–60° of both hemispheres. "
            + "Below the truth at high wavenumbers: small scales are smoothed away; above: noise.",
          body: "<div id=\"spectra-view\"></div>\n" + noScript))
    }
    if contents.training != nil {
      list.append(
        Section(
          "training", "Training", lead: "What was measured at each update, and on the validation period.",
          body: "<div id=\"training-view\"></div>\n" + noScript))
    }
    return list
  }

  /// For readers without scripts: RMSE and ratio at a few leads.
  private func scoreTable(_ scores: ScoreTable) -> String {
    guard let region = scores.regions.first else { return "" }
    let leads = MapPlan.every(scores.leadHours.count, atMost: 6).map { scores.leadHours[$0] }
    var html =
      "<div class=\"scroll\"><table class=\"plain\"><caption>RMSE (relative to persistence), \(markupText(region)); "
    html += "* worse than climatology</caption>\n<tr><th>field</th><th>unit</th>"
    html += leads.map { "<th>+\($0) h</th>" }.joined() + "</tr>\n"
    for channel in scores.channels {
      let display = contents.display(of: channel)
      html += "<tr><th>\(markupText(display.label))</th><td>\(markupText(display.unit))</td>"
      for lead in leads {
        let rmse = scores[.model, channel, lead, region].map { significant($0[RMSE.self] * display.factor, 3) } ?? "–"
        let ratio = scores.ratio(channel, lead, region).map { " (\(fixed($0, 2)))" } ?? ""
        html += "<td>\(rmse)\(ratio)\(scores.isWorseThanClimatology(channel, lead, region) ? "*" : "")</td>"
      }
      html += "</tr>\n"
    }
    return html + "</table></div>\n"
  }

  private func about() -> String {
    var html = "<section id=\"about\">\n<h2>Configuration and provenance</h2>\n"
    if !contents.facts.isEmpty {
      let rows = contents.facts.map { "<dt>\(markupText($0.name))</dt><dd>\(markupText($0.value))</dd>\n" }
      html += "<dl class=\"card facts\">\n\(rows.joined())</dl>\n"
    }
    for document in contents.documents {
      html +=
        "<details class=\"card\"><summary>\(markupText(document.title))</summary>\n<pre>\(markupText(document.text))</pre></details>\n"
    }
    return html + "</section>\n"
  }
}

/// Files of Resources/, compiled in.
enum Resource {
  static let style = [PackageResources.style_css, PackageResources.charts_css, PackageResources.maps_css].map(text)
    .joined()
  static let coastlines = text(PackageResources.coastlines_json)
  /// One program in pieces; what uses comes after what is used.
  static let scripts = [
    PackageResources.base_js, PackageResources.palettes_js, PackageResources.chart_js, PackageResources.map_js,
    PackageResources.mapsection_js, PackageResources.scores_js, PackageResources.training_js,
  ].map(text).joined()

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
