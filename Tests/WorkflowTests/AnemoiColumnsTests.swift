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
    let folder = try TemporaryFolder()
    var values = try EditedCheckpoint.entries()
    let key = try #require(values.keys.first { $0.hasSuffix("/anemoi.json") })
    var metadata = try JSONValue(parsing: #require(values[key]), place: key)
    let model = try #require(metadata["data_indices"]?["data"]?["model"])
    let (width, columns) = (model[side]?["full"]?.array?.count ?? 0, model[side]?[kind]?.array ?? [])
    let changed = fault == "dropped" ? Array(columns.dropLast()) : columns.dropLast() + [.number(Double(width))]
    metadata = metadata.replacing(["data_indices", "data", "model", side, kind], with: .array(changed))
    values[key] = Array(try JSONEncoder().encode(metadata))
    let path = "\(folder.path)/changed.ckpt"
    try Files.writeAtomically(EditedCheckpoint.archive(values), to: path)
    let found = try AnemoiImport.run(path, to: "\(folder.path)/run", overwrites: false)
    let sentence = fault == "dropped" ? "other prognostic variables" : "columns beyond its input or output"
    #expect(found.contains("no run") && found.contains(sentence), "\(found)")
  }
}

/// The golden checkpoint taken apart and put together.
enum EditedCheckpoint {
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
    guard case .object(var members) = self, let member = members[name] else { return self }
    members[name] = member.replacing(path.dropFirst(), with: value)
    return .object(members)
  }
}
