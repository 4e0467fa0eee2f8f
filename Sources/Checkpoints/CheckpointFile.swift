import Basics
import Communication
import Datasets
import FoundationEssentials
import Stores

/// A manifest's record of a file of tensors, by which a changed bit or a file of another checkpoint is found.
public struct CheckpointFile: Sendable, Codable, Equatable {
  public struct TensorRecord: Sendable, Codable, Equatable {
    public let bytes: Int
    public let crc32c: String
  }

  /// Bytes of the file.
  public let length: Int
  /// Checksum of the bytes before the first tensor.
  public let header: String
  public let tensors: [String: TensorRecord]

  static let remedy = "use another checkpoint or copy this one again; 'jigsaw checkpoint verify' checks all of it"

  /// - Parameter tensors: with remainders of the whole tensors.
  init(length: Int, headerChecksum: UInt32, tensors: [(name: String, byteCount: Int, remainder: UInt32)]) {
    self.length = length
    header = CheckpointFile.text(headerChecksum)
    self.tensors = Dictionary(
      uniqueKeysWithValues: tensors.map {
        let checksum = CRC32C.checksum(remainder: $0.remainder, byteCount: $0.byteCount)
        return ($0.name, TensorRecord(bytes: $0.byteCount, crc32c: CheckpointFile.text(checksum)))
      })
  }

  /// The record of a complete file.
  init(of file: Safetensors.File) throws {
    length = file.length
    header = CheckpointFile.text(file.headerChecksum)
    tensors = try file.entries.mapValues {
      TensorRecord(bytes: $0.range.count, crc32c: CheckpointFile.text(try file.checksum($0)))
    }
  }

  static func text(_ checksum: UInt32) -> String {
    let digits = String(checksum, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// The sums, by exclusive or, of all ranks' remainders, the same on every rank: bits are added, and odd sums are ones.
  static func whole(_ own: [UInt32], on world: any Communicator) throws -> [UInt32] {
    if world.size == 1 { return own }
    let bits = own.flatMap { word in (0..<32).map { Double(word >> UInt32($0) & 1) } }
    let sums = try world.allReduce(bits)
    return own.indices.map { index in
      (0..<32).reduce(UInt32(0)) { $0 | UInt32(Int(sums[32 * index + $1]) & 1) << UInt32($1) }
    }
  }

  /// - Throws: when length or header are not those that were written.
  func requireHeader(of file: Safetensors.File) throws {
    guard file.length == length else {
      throw JigsawError(
        file.path, "is not the file that the manifest names", expected: "\(length) bytes",
        found: "\(file.length) bytes", remedy: CheckpointFile.remedy)
    }
    let found = CheckpointFile.text(file.headerChecksum)
    guard found == header else {
      throw JigsawError(
        file.path, "has a header that was changed since it was written", expected: "CRC-32C \(header)",
        found: found, remedy: CheckpointFile.remedy)
    }
  }

  /// - Throws: when a tensor is not the one that was written.
  func require(_ tensor: String, _ checksum: UInt32, _ byteCount: Int, place: String) throws {
    guard let record = tensors[tensor] else {
      throw JigsawError(
        "\(place): \(tensor)", "is not a tensor that the manifest names", remedy: CheckpointFile.remedy)
    }
    let found = CheckpointFile.text(checksum)
    guard record.bytes == byteCount, record.crc32c == found else {
      throw JigsawError(
        "\(place): \(tensor)", "was changed since it was written, or is of another checkpoint",
        expected: "\(record.bytes) bytes with CRC-32C \(record.crc32c)", found: "\(byteCount) bytes with \(found)",
        remedy: CheckpointFile.remedy)
    }
  }
}

extension CheckpointManifest {
  /// Identifies its weights for forecasts, the moving average where there is one: the same in `best` and in the numbered checkpoint
  /// of the same update.
  public var identity: Lineage.Model {
    var digest = Digest()
    digest.add("\(progress.update)")
    if let files {
      for (name, file) in files.sorted(by: { $0.key < $1.key }) where name != Checkpoint.optimizerName {
        digest.add(name)
        for (tensor, record) in file.tensors.sorted(by: { $0.key < $1.key }) {
          digest.add("\(tensor) \(record.crc32c)")
        }
      }
    } else {
      // Version 0.1 kept no checksums: whatever else may tell two checkpoints apart.
      digest.add("\(channels) \(model) \(progress.seed) \(trainingStart) \(trainingEnd)")
    }
    return Lineage.Model(update: progress.update, hash: digest.text)
  }

  /// The record of a file of the checkpoint; nil in checkpoints of version 0.1.
  func record(_ name: String, in folder: String) throws -> CheckpointFile? {
    guard let files else { return nil }
    guard let record = files[name] else {
      throw JigsawError(
        "\(folder)/\(Checkpoint.manifestName)", "doesn't know the file \(name)", remedy: CheckpointFile.remedy)
    }
    return record
  }

  /// The manifest's bytes as a file, with its own checksum.
  func document() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    var blank = self
    blank.checksum = CheckpointManifest.blank
    var bytes = Array(try encoder.encode(blank))
    guard let place = CheckpointManifest.checksumPlace(bytes) else {
      preconditionFailure("a manifest without checksum")
    }
    bytes.replaceSubrange(place, with: Array(CheckpointFile.text(CRC32C.checksum(bytes)).utf8))
    return bytes
  }

  /// - Throws: when the bytes are not those that were written.
  func requireChecksum(of bytes: [UInt8], _ place: String) throws {
    func damaged(_ found: String) -> JigsawError {
      JigsawError(
        place, "was changed since it was written", expected: "CRC-32C \(checksum ?? "of the manifest")", found: found,
        remedy: CheckpointFile.remedy)
    }
    guard files != nil, let checksum, let digits = CheckpointManifest.checksumPlace(bytes) else {
      throw damaged("none")
    }
    var blank = bytes
    blank.replaceSubrange(digits, with: Array(CheckpointManifest.blank.utf8))
    let found = CheckpointFile.text(CRC32C.checksum(blank))
    guard checksum.utf8.elementsEqual(bytes[digits]), found == checksum else { throw damaged(found) }
  }

  private static let blank = "00000000"

  /// Where the checksum's digits are in a manifest.
  private static func checksumPlace(_ bytes: [UInt8]) -> Range<Int>? {
    let key = Array("\n  \"checksum\" : \"".utf8)
    guard bytes.count > key.count + 8 else { return nil }
    let places = (0..<bytes.count - key.count - 8).filter {
      bytes[$0] == key[0] && bytes[$0..<$0 + key.count].elementsEqual(key)
    }
    return places.count == 1 ? places[0] + key.count..<places[0] + key.count + 8 : nil
  }
}

extension Checkpoint {
  /// Reads all of it and compares lengths and checksums with the manifest's.
  /// - Returns: what is not as it was written, a sentence each; empty: all is.
  /// - Throws: when the manifest itself can't be read or has no checksums.
  public func problems() throws -> [JigsawError] {
    guard let files = manifest.files else {
      throw JigsawError(
        "\(path)/\(Checkpoint.manifestName)",
        "has no checksums to verify: it was written by jigsaw \(manifest.version)",
        remedy: "resume from it once: later checkpoints have them")
    }
    var problems = misnaming.map { [$0] } ?? []
    func note(_ body: () throws -> Void) throws {
      do { try body() } catch let error as JigsawError { problems.append(error) }
    }
    for (name, record) in files.sorted(by: { $0.key < $1.key }) {
      try note {
        let file = try Safetensors.File("\(path)/\(name)")
        try note { try record.requireHeader(of: file) }
        for tensor in record.tensors.keys.sorted() {
          try note {
            guard let entry = file.entries[tensor] else {
              throw JigsawError("\(file.path): \(tensor)", "is missing", remedy: CheckpointFile.remedy)
            }
            try record.require(
              tensor, file.checksum(entry), entry.range.count, place: file.path)
          }
        }
      }
    }
    for name in try Files.list(path) where name != Checkpoint.manifestName && files[name] == nil {
      problems.append(
        JigsawError("\(path)/\(name)", "is not a file of this checkpoint", remedy: "remove it, or put it elsewhere"))
    }
    return problems
  }

  /// The note to show for a checkpoint that can't be checked on loading.
  public var note: String? {
    manifest.files == nil
      ? "\(path) was written by jigsaw \(manifest.version), without checksums: damage to its numbers would go unnoticed"
      : nil
  }
}
