import Basics
import Geometry
import TestSupport
import Testing

@testable import Stores
@testable import Workflow

/// A checkpoint that anemoi-training 0.17.1 wrote (Tests/Goldens/anemoi).
@Suite struct AnemoiCheckpointTests {
  static let folder = "\(Goldens.folder)/../anemoi"
  static let path = "\(folder)/inference-tiny.ckpt"

  @Test func stateDictIsThatOfPyTorchBitForBit() throws {
    let checkpoint = try AnemoiCheckpoint(Self.path)
    let expected = try #require(
      try JSONValue(parsing: Files.read("\(Self.folder)/state-dict.json"), place: "state-dict.json").object)
    #expect(Set(checkpoint.state.keys) == Set(expected.keys))
    for (name, entry) in expected {
      let tensor = try checkpoint.tensor(name)
      #expect(tensor.type == entry["type"]?.string && tensor.shape == entry["shape"]?.integers, "\(name)")
      #expect(zipChecksum(tensor.bytes) == entry["crc32"]?.integer, "\(name)")
    }
  }

  @Test func graphAndVariablesAreThere() throws {
    let checkpoint = try AnemoiCheckpoint(Self.path)
    #expect(checkpoint.graph.spaces.mapValues(\.count) == ["data": 684, "hidden": 162])
    #expect(checkpoint.graph.edges.map(\.count).sorted() == [708, 1_200, 2_052])
    #expect(checkpoint.variables.count == 24 && checkpoint.roles["10u"] == "diagnostic")
    #expect(checkpoint.roles["z_500"] == "prognostic" && checkpoint.roles["lsm"] == "forcing")
    #expect(checkpoint.inputSteps == 2 && checkpoint.outputSteps == 1 && checkpoint.timestep == "6h")
    let arrays = try checkpoint.supportingArrays()
    #expect(arrays.mapValues(\.shape) == ["latitudes": [684], "longitudes": [684]])
  }

  /// The graph's own coordinates are those that the model was built with.
  @Test func coordinatesAreThoseOfTheModel() throws {
    let checkpoint = try AnemoiCheckpoint(Self.path)
    for (name, space) in checkpoint.graph.spaces {
      let stored = try checkpoint.tensor("model.node_attributes.latlons_\(name)")
      let worst = stored.bytes.withUnsafeBytes { raw in
        largestDifference(space.encodedCoordinates, raw.bindMemory(to: Float.self))
      }
      #expect(worst < 2e-7, "\(name)")
    }
  }

  @Test func importWritesPlainFiles() throws {
    let folder = try TemporaryFolder()
    let output = "\(folder.path)/tiny"
    #expect(try AnemoiImport.run(Self.path, to: output, overwrites: false).contains("11 prognostic, 11 forcing"))
    #expect(throws: JigsawError.self) { try AnemoiImport.run(Self.path, to: output, overwrites: false) }
    _ = try AnemoiImport.run(Self.path, to: output, overwrites: true)
    let weights = try Safetensors.File("\(output)/weights.safetensors")
    #expect(weights.entries.count == 168)
    var graph = try AnemoiCheckpoint(Self.path).graph
    graph.edges.sort { $0.name < $1.name }
    #expect(try GraphWorkflow.read("\(output)/graph.safetensors") == graph)
    let manifest = try JSONValue(parsing: Files.read("\(output)/model.json"), place: "model.json")
    #expect(manifest["format"]?.string == AnemoiImport.format && manifest["inputSteps"]?.integer == 2)
  }

  @Test func otherFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    for (name, bytes) in [("empty", []), ("text", Array("no checkpoint".utf8))] as [(String, [UInt8])] {
      let path = "\(folder.path)/\(name).ckpt"
      try Files.writeAtomically(bytes, to: path)
      #expect(throws: JigsawError.self) { try AnemoiCheckpoint(path) }
    }
  }
}
