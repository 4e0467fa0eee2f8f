import Basics
import Configuration
import Datasets
import Reporting
import Testing

@testable import Workflow

@Suite("jigsaw report")
final class ReportWorkflowTests {
  private let folder: String

  init() throws {
    folder = "/tmp/jigsaw-report-\(UInt64.random(in: 0 ... .max))"
    try Files.createDirectory(folder)
    try Files.writeAtomically(
      "run: elsewhere\ndata:\n  variables: [z, t2m]\n  levels: [500]\n", to: "\(folder)/config.yaml")
  }

  deinit { try? Files.remove(folder) }

  private func report() throws -> String {
    var configuration = try RunConfiguration.load("\(folder)/config.yaml")
    configuration.run = folder
    configuration.data.notice = "simulated, not observed"
    return try Files.readText(try ReportWorkflow(configuration).run())
  }

  @Test("An untrained run gives a report that says what to run")
  func untrained() throws {
    let html = try report()
    #expect(html.contains("<code>jigsaw train \(folder)/config.yaml</code>"))
    #expect(html.contains("<code>jigsaw forecast \(folder)</code>"))
    #expect(html.contains("<code>jigsaw evaluate \(folder)</code>"))
    #expect(html.contains("simulated, not observed"))
    #expect(html.contains("levels: [500]"))
  }

  @Test("Curves and scores come from the run's files")
  func trainedAndEvaluated() throws {
    let metrics = "update,loss,gradient_norm,learning_rate,seconds,samples_per_second,rollout_steps\n"
    try Files.writeAtomically(
      metrics + "1,0.5,0.1,0.001,0.5,32,1\n2,0.4,0.1,0.001,0.5,32,1\n3,0.3,0.1,0.0", to: "\(folder)/metrics.csv")
    try Files.writeAtomically("update,loss,rmse_z_500,rmse_t2m\n2,0.4,90,0.5\n", to: "\(folder)/validation.csv")
    try Files.createDirectory("\(folder)/evaluation")
    var scores = "system,channel,units,lead_hours,region,forecasts,rmse,mae,bias,acc,activity\n"
    for (system, rmse) in [("model", 80), ("persistence", 100), ("climatology", 70)] {
      scores += "\(system),z_500,m2 s-2,24,globe,5,\(rmse),60,1,\(system == "climatology" ? "" : "0.9"),400\n"
    }
    try Files.writeAtomically(scores, to: "\(folder)/evaluation/scores.csv")
    try Files.writeAtomically(
      "channel,lead_hours,wavenumber,model,truth\nz_500,24,0,9,8\nz_500,24,1,3,4\n",
      to: "\(folder)/evaluation/spectra.csv")
    let html = try report()
    #expect(!html.contains("jigsaw train ") && !html.contains("<code>jigsaw evaluate"))
    #expect(html.contains("<b>0.80</b><span>mean RMSE ratio</span>"))
    #expect(html.contains("2 updates of 16 samples"))
    let data = try #require(try jsonBlocks(html)["report-data"])
    // The last line of metrics.csv is still being written.
    #expect(data["training"]?["update"]?.integers == [1, 2])
    #expect(data["training"]?["validation"]?["rmse"]?["t2m"]?.array?.compactMap(\.double) == [0.5])
    #expect(data["channels"]?.array?.first?["label"]?.string == "z 500 hPa")
    #expect(data["spectra"]?["truth"]?["z_500"]?.array?.first?.array?.compactMap(\.double) == [8, 4])
  }

  @Test("Whole numbers with which sums would overflow are refused", arguments: [Int.min, .max])
  func extremeLeads(lead: Int) throws {
    try Files.createDirectory("\(folder)/evaluation")
    var scores = "system,channel,units,lead_hours,region,forecasts,rmse,mae,bias,acc,activity\n"
    for lead in [24, lead] { scores += "model,t2m,K,\(lead),globe,5,80,60,1,0.9,400\n" }
    try Files.writeAtomically(scores, to: "\(folder)/evaluation/scores.csv")
    let error = #expect(throws: JigsawError.self) { try report() }
    #expect(error?.description.contains("scores.csv:3: lead_hours: is not a whole number") == true)
  }

  @Test("Variables that the lexicon lacks have the unit that the scores say")
  func unitsOfUnknownVariables() throws {
    try Files.createDirectory("\(folder)/evaluation")
    var scores = "system,channel,units,lead_hours,region,forecasts,rmse,mae,bias,acc,activity\n"
    for (channel, units) in [("dust", "ug m**-3"), ("t2m", "K"), ("ratio", "1")] {
      scores += "model,\(channel),\(units),24,globe,5,80,60,1,0.9,400\n"
    }
    try Files.writeAtomically(scores, to: "\(folder)/evaluation/scores.csv")
    let html = try report()
    #expect(html.contains("<th>dust</th><td>ug m⁻³</td>") && html.contains("<th>ratio</th><td></td>"))
    let data = try #require(try jsonBlocks(html)["report-data"])
    let units = Dictionary(
      uniqueKeysWithValues: (data["channels"]?.array ?? []).map {
        ($0["name"]?.string ?? "", ($0["unit"]?.string ?? "none") + "|" + ($0["valueUnit"]?.string ?? "none"))
      })
    #expect(units == ["dust": "ug m⁻³|ug m⁻³", "t2m": "K|°C", "ratio": "|"])
  }

  @Test("Parts of a run that say other units are named")
  func unitsThatDiffer() {
    var units = ReportUnits()
    units.add(Channel(variable: "dust"), "kg m-3", of: "checkpoint")
    units.add(Channel(variable: "dust"), "kg m**-3", of: "scores")
    units.add(Channel(variable: "t2m"), "degC", of: "checkpoint")
    #expect(units.units == ["dust": "kg m-3"] && units.hints.isEmpty)
    units.add(Channel(variable: "dust"), "g m-3", of: "data")
    #expect(units.units.isEmpty)
    #expect(
      units.hints.map(\.text) == [
        "dust is in 'kg m-3' in the checkpoint and in 'g m-3' in the data, so it is shown without a unit. Make them anew from "
          + "the same data."
      ])
  }

  @Test("A damaged file is named")
  func damaged() throws {
    try Files.writeAtomically("update,loss\n1,0.5\n2,0.4,7\n", to: "\(folder)/metrics.csv")
    #expect {
      try report()
    } throws: { error in
      "\(error)".hasPrefix("\(folder)/metrics.csv:3: has the wrong number of cells; expected 2, found 3")
    }
    try Files.writeAtomically("update,loss\n1,x\n", to: "\(folder)/metrics.csv")
    #expect {
      try report()
    } throws: { error in
      "\(error)".contains("metrics.csv:2: loss: is not a number")
    }
  }
}
