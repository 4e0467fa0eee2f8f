import Basics
import Foundation
import TestSupport
import Testing

@testable import Stores
@testable import Workflow

/// Columns of variables in checkpoints of Anemoi.
@Suite struct AnemoiColumnsTests {
  /// Columns of a model that its input or output does not have.
  @Test(arguments: [
    ("input", "prognostic", "dropped"), ("output", "prognostic", "beyond"), ("input", "forcing", "beyond"),
  ])
  func columnsThatAModelDoesNotHaveAreNoRun(side: String, kind: String, fault: String) throws {
    let columns = try EditedCheckpoint.metadata["data_indices"]?["data"]?["model"]?[side]
    let (width, all) = (columns?["full"]?.array?.count ?? 0, columns?[kind]?.array ?? [])
    let changed = fault == "dropped" ? Array(all.dropLast()) : all.dropLast() + [.number(Double(width))]
    let found = try EditedCheckpoint.imported(
      ["data_indices", "data", "model", side, kind], .array(changed))
    let sentence = fault == "dropped" ? "other prognostic variables" : "columns beyond its input or output"
    #expect(found.contains("no run") && found.contains(sentence), "\(found)")
  }

  /// More names than outputs, and a bound on the one behind the last.
  @Test func boundsOnOutputsThatAreNotThereAreNoRun() throws {
    let path = ["data_indices", "data", "model", "output", "name_to_index"]
    var names = try #require(try path.reduce(EditedCheckpoint.metadata) { $0[$1] ?? .null }.object)
    names["10u"] = .integer(names.count)
    names["another"] = .integer(0)
    let found = try EditedCheckpoint.imported(path, .object(names))
    #expect(found.contains("no run") && found.contains("bounds an output that is not there"), "\(found)")
  }

  /// A target that is not predicted is none of the model's outputs.
  @Test func targetsThatAreNotPredictedAreLeftOut() throws {
    let path = ["data_indices", "data", "data", "output", "full"]
    let columns = try #require(try path.reduce(EditedCheckpoint.metadata) { $0[$1] ?? .null }.integers)
    let checkpoint = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    let forcing = try #require(checkpoint.variables.firstIndex(of: "lsm"))
    let found = try EditedCheckpoint.imported(path, .array((columns + [forcing]).map { .integer($0) }))
    #expect(!found.contains("no run"), "\(found)")
    let short = try EditedCheckpoint.imported(path, .array(columns.dropLast().map { .integer($0) }))
    #expect(short.contains("has other variables of the data than of the model"), "\(short)")
  }

  /// Some levels of a variable are diagnostic, others are read.
  @Test func diagnosticLevelsOfAVariableAreNoRun() throws {
    let checkpoint = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    let level = try #require(checkpoint.variables.firstIndex(of: "t_500"))
    var indices = try #require(try EditedCheckpoint.metadata["data_indices"]?["data"])
    let inputs = try #require(indices["data"]?["input"]?["full"]?.integers).filter { $0 != level }
    func set(_ path: [String], _ columns: some Sequence<Int>) {
      indices = indices.replacing(path[...], with: .array(columns.map { .integer($0) }))
    }
    set(["data", "input", "full"], inputs)
    set(["model", "input", "full"], inputs.indices)
    set(["model", "input", "prognostic"], 0..<10)
    set(["model", "input", "forcing"], 10..<inputs.count)
    set(["model", "output", "prognostic"], 2..<12)
    let found = try EditedCheckpoint.imported(["data_indices", "data"], indices)
    #expect(found.contains("no run") && found.contains("t_500: is diagnostic, and other levels"), "\(found)")
  }

  /// Data of a run are those that the original opened; where nothing says which, the import says so.
  @Test func dataAreThoseOfTheMetadata() throws {
    let path = ["dataset", "data", "arguments", "args"]
    func source(_ opened: String?) throws -> (text: String, said: String) {
      var text = ""
      let value = try opened.map { JSONValue.array([try JSONValue(parsing: Array($0.utf8), place: "test")]) }
      var said = ""
      let look = { (run: String) in text = try Files.readText("\(run)/config.yaml") }
      if let value {
        said = try EditedCheckpoint.imported(path, value, look: look)
      } else {
        let folder = try TemporaryFolder()
        try EditedCheckpoint.write("\(folder.path)/changed.ckpt") {
          $0.replacing(path[...], with: .array([])).replacing(["config", "dataloader"], with: .null)
        }
        said = try AnemoiImport.run("\(folder.path)/changed.ckpt", to: "\(folder.path)/run", overwrites: false)
        try look("\(folder.path)/run")
      }
      return (text, said)
    }
    #expect(try source(#"{"dataset": "a.zarr", "frequency": "6h"}"#).text.contains("- path: a.zarr"))
    let cutout = try source(#"{"dataset": {"cutout": [{"dataset": "lam.zarr"}, "a.zarr"]}, "frequency": "6h"}"#)
    #expect(cutout.text.contains(#"{"dataset":{"cutout":[{"dataset":"lam.zarr"},"a.zarr"]},"frequency":"6h"}"#))
    #expect(!cutout.said.contains("note:"))
    let part = try source(#"{"dataset": "a.zarr", "area": [85, 0, -85, 360]}"#)
    #expect(part.text.contains(#"open: {"area":[85,0,-85,360],"dataset":"a.zarr"}"#))
    let unknown = try source(nil)
    #expect(unknown.text.contains("sources: []") && unknown.said.contains("doesn't say what it was trained on"))
  }

  /// What can't be a run is named by its setting.
  @Test(arguments: [
    (["decoders", "0", "mapper", "num_channels"], "decoder.num_channels 32"),
    (["decoders", "0", "mapper", "attn_channels"], "doesn't fit"),
    (["residual"], "residual.step -2"),
    (["encoders", "0", "mapper"], "encoder.mapper GNN"),
  ])
  func settingsOfNoRunAreNamed(path: [String], word: String) throws {
    let value: JSONValue =
      switch path.last {
      case "residual": .object(["_target_": .string("SkipConnection"), "step": .integer(-2)])
      case "mapper": .object(["_target_": .string("GNNForwardMapper")])
      default: .integer(32)
      }
    let found = try EditedCheckpoint.imported(["config", "model"] + path, value)
    #expect(found.contains("no run") && found.contains(word), "\(found)")
  }

  /// A transformer looks at no edges, whatever its section says of them.
  @Test func edgesThatAProcessorDoesNotReadAreNoObstacle() throws {
    let text = #"{"_target_": "TransformerProcessor", "num_layers": 2, "num_heads": 2, "trainable_size": 5}"#
    let found = try EditedCheckpoint.imported(
      ["config", "model", "processor"], JSONValue(parsing: Array(text.utf8), place: "test"))
    // The weights are those of another processor.
    #expect(found.contains("no run") && found.contains("doesn't fit its model"), "\(found)")
  }

  /// Sizes for which no computer has the memory.
  @Test(arguments: [
    ("processor", #"{"_target_": "TransformerProcessor", "num_layers": 1048576, "num_heads": 2}"#, "num_layers"),
    ("processor", #"{"_target_": "TransformerProcessor", "num_layers": 2, "mlp_extra_layers": 99999}"#, "mlp_extra"),
    ("noise_injector", #"{"_target_": "NoiseConditioning", "noise_channels_dim": 1099511627776}"#, "noise_channels"),
    ("node_trainable_parameters", #"{"data": 1099511627776, "hidden": 8}"#, "node_trainable_parameters"),
    ("node_trainable_parameters", #"{"data": -8, "hidden": 8}"#, "node_trainable_parameters"),
    ("node_trainable_parameters", #"{"data": 1048576, "hidden": 8}"#, "trainable"),
    (
      "noise_injector",
      #"{"_target_": "NoiseConditioning", "noise_channels_dim": 4, "noise_mlp_hidden_dim": 0}"#, "noise_mlp_hidden"
    ),
  ])
  func sizesThatNoModelHasAreNoRun(section: String, text: String, word: String) throws {
    let value = try JSONValue(parsing: Array(text.utf8), place: "test")
    let found = try EditedCheckpoint.imported(["config", "model", section], value)
    #expect(found.contains("no run") && found.contains(word), "\(found)")
  }
}

/// The golden checkpoint taken apart and put together.
enum EditedCheckpoint {
  static var metadata: JSONValue { get throws { try AnemoiCheckpoint(AnemoiCheckpointTests.path).metadata } }

  /// What an import says of a checkpoint with another value in its metadata.
  ///
  /// - Parameter look: at the folder that it wrote.
  static func imported(
    _ path: [String], _ value: JSONValue, look: (String) throws -> Void = { _ in }
  ) throws -> String {
    let folder = try TemporaryFolder()
    let checkpoint = "\(folder.path)/changed.ckpt"
    try write(checkpoint) { $0.replacing(path[...], with: value) }
    let found = try AnemoiImport.run(checkpoint, to: "\(folder.path)/run", overwrites: false)
    try look("\(folder.path)/run")
    return found
  }

  /// Writes the golden checkpoint with other metadata, and another pickle.
  static func write(
    _ path: String, pickle: ([UInt8]) -> [UInt8] = { $0 }, metadata change: (JSONValue) -> JSONValue
  ) throws {
    var values = try entries()
    let key = try #require(values.keys.first { $0.hasSuffix("/anemoi.json") })
    values[key] = Array(try JSONEncoder().encode(change(JSONValue(parsing: #require(values[key]), place: key))))
    let object = try #require(values.keys.first { $0.hasSuffix("/data.pkl") })
    values[object] = pickle(try #require(values[object]))
    try Files.writeAtomically(archive(values), to: path)
  }

  /// Entries of the golden checkpoint.
  static func entries() throws -> [String: [UInt8]] {
    let archive = try ZipStorage(AnemoiCheckpointTests.path)
    var values: [String: [UInt8]] = [:]
    func add(_ key: String) throws {
      if let value = try archive.read(key) { values[key] = value }
      for name in archive.list(key) { try add("\(key)/\(name)") }
    }
    for root in archive.list("") { try add(root) }
    return values
  }

  /// A ZIP archive of stored entries (APPNOTE 6.3).
  static func archive(_ values: [String: [UInt8]]) -> [UInt8] {
    func number(_ value: Int, _ width: Int) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var (entries, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, value) in values {
      let common =
        number(20, 2) + number(0, 8) + number(zipChecksum(value), 4) + number(value.count, 4) + number(value.count, 4)
        + number(name.utf8.count, 2)
      directory +=
        number(0x0201_4B50, 4) + number(20, 2) + common + number(0, 12) + number(entries.count, 4) + Array(name.utf8)
      entries += number(0x0403_4B50, 4) + common + number(0, 2) + Array(name.utf8) + value
    }
    return entries + directory + number(0x0605_4B50, 4) + number(0, 4) + number(values.count, 2)
      + number(values.count, 2) + number(directory.count, 4) + number(entries.count, 4) + number(0, 2)
  }
}

extension JSONValue {
  /// The document with another value behind `path`.
  func replacing(_ path: ArraySlice<String>, with value: JSONValue) -> JSONValue {
    guard let name = path.first else { return value }
    guard case .object(var members) = self else { return self }
    members[name] = (members[name] ?? .null).replacing(path.dropFirst(), with: value)
    return .object(members)
  }
}
