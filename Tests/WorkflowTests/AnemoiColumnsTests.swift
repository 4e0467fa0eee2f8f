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
  static func imported(_ path: [String], _ value: JSONValue) throws -> String {
    let folder = try TemporaryFolder()
    var values = try entries()
    let key = try #require(values.keys.first { $0.hasSuffix("/anemoi.json") })
    let metadata = try JSONValue(parsing: #require(values[key]), place: key)
    values[key] = Array(try JSONEncoder().encode(metadata.replacing(path[...], with: value)))
    try Files.writeAtomically(archive(values), to: "\(folder.path)/changed.ckpt")
    return try AnemoiImport.run("\(folder.path)/changed.ckpt", to: "\(folder.path)/run", overwrites: false)
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
  fileprivate func replacing(_ path: ArraySlice<String>, with value: JSONValue) -> JSONValue {
    guard let name = path.first else { return value }
    guard case .object(var members) = self else { return self }
    members[name] = (members[name] ?? .null).replacing(path.dropFirst(), with: value)
    return .object(members)
  }
}
