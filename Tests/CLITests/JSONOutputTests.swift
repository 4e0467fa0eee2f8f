import Basics
import TestSupport
import Testing

/// `--json`: the same answers as documents.
@Suite struct JSONOutputTests {
  private func document(_ workspace: Workspace, _ arguments: [String], status: Int32 = 0) throws -> JSONValue {
    let output = try workspace.run(arguments)
    #expect(output.status == status, "\(arguments): \(output.err)")
    let document = try JSONValue(parsing: Array(output.out.utf8), place: "\(arguments)")
    #expect(document["version"] == .string(jigsawVersion))
    return document
  }

  @Test func aMachineIsDescribed() throws {
    let workspace = try Workspace()
    let document = try document(workspace, ["doctor", "--json"])
    #expect(document["format"] == .string("jigsaw-doctor-1"))
    #expect(document["provenance"]?["netcdf"]?.string?.isEmpty == false)
    let products = try #require(document["products"]?.array)
    #expect(products.allSatisfy { ($0["flopsPerSecond"]?.double ?? 0) > 1e6 })
    #expect(Set(products.compactMap { $0["precision"]?.string }) == ["fp32", "bf16", "bf16x3"])
  }

  @Test func aCheckpointIsDescribed() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let document = try document(workspace, ["checkpoint", "inspect", "run/checkpoints/best", "--json=-"])
    #expect(document["format"] == .string("jigsaw-checkpoint-report-1"))
    #expect(document["manifest"]?["stepHours"] == .integer(6) && document["manifest"]?["channels"]?.array?.count == 5)
    let file = try #require(document["files"]?.array?.first { $0["name"] == .string("model.safetensors") })
    let elements = (file["tensors"]?.array ?? []).reduce(0) { $0 + ($1["shape"]?.integers ?? []).reduce(1, *) }
    #expect(.integer(elements) == document["manifest"]?["parameterCount"])
  }

  /// Numbers are those of scores.csv; the scorecard is printed beside a file.
  @Test func scoresAreADocument() throws {
    let workspace = try Workspace(copying: Workspace.trained.get())
    let output = try workspace.run(["evaluate", "run", "--json", "scores.json"])
    #expect(output.status == 0 && output.out.contains("| z_500 | m2 s-2 |"), "\(output.err)")
    let document = try JSONValue(parsing: Files.read("\(workspace.path)/scores.json"), place: "scores.json")
    #expect(document["format"] == .string("jigsaw-scores-1"))
    let scores = try #require(document["scores"]?.array)
    let rows = try Files.readText("\(workspace.path)/run/evaluation/scores.csv").split(separator: "\n").dropFirst()
    #expect(scores.count == rows.count && rows.count > 20)
    for (score, row) in zip(scores, rows) {
      let cells = row.split(separator: ",", omittingEmptySubsequences: false)
      #expect(score["system"]?.string == String(cells[0]) && score["channel"]?.string == String(cells[1]))
      #expect(score["leadHours"] == Int(cells[3]).map { .integer($0) })
      #expect(score["rmse"]?.double == Double(cells[6]) && score["acc"]?.double == Double(cells[9]))
    }
  }
}
