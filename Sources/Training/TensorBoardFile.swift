import Basics
import Stores

/// Scalars in the event-file format of TensorBoard: TFRecord frames around `Event` protocol buffers.
public final class TensorBoardFile {
  private let file: OutputFile

  /// - Parameters:
  ///   - unixSeconds: now; part of the file's name.
  ///   - firstUpdate: updates done before; TensorBoard then drops what an earlier process logged of later ones.
  public init(folder: String, unixSeconds: Double, firstUpdate: Int) throws {
    try Files.createDirectory(folder)
    var number = 0
    func name() -> String { "\(folder)/events.out.tfevents.\(padded(Int(unixSeconds), 10)).jigsaw.\(number)" }
    while Files.exists(name()) || Files.isLink(name()) { number += 1 }
    file = try OutputFile(creating: name())
    // Event.file_version
    try write(wallTime: unixSeconds, step: 0, field: 3, Array("brain.Event:2".utf8))
    if firstUpdate > 0 {
      // Event.session_log = { status: START }
      try write(wallTime: unixSeconds, step: firstUpdate + 1, field: 7, [0x08, 0x01])
    }
  }

  /// Whether a training gives this name, or wrote under it.
  public static func isOwn(_ name: String) -> Bool {
    name.hasPrefix("events.out.tfevents.") && name.contains(".jigsaw.")
  }

  /// Takes what was logged of updates after `last` out of the files that earlier processes wrote, for tools that don't heed
  /// the mark of a restart: these updates come again. A record torn by a kill goes, and a copy that was never completed.
  public static func removeEvents(after last: Int, in folder: String) throws {
    guard Files.isDirectory(folder) else { return }
    for name in try Files.list(folder) where isOwn(name) {
      let path = "\(folder)/\(name)"
      if last == 0 || Temporary.isOne(name) {
        try Files.remove(path)
        continue
      }
      let bytes = try Files.read(path)
      let kept = records(bytes).filter { step(bytes[($0.lowerBound + 12)..<$0.upperBound]) <= last }
      if kept.reduce(0, { $0 + $1.count }) < bytes.count {
        try Files.writeAtomically(kept.flatMap { bytes[$0] }, to: path)
      }
    }
  }

  /// Whole records of a file: length, its checksum, the event, its checksum.
  private static func records(_ bytes: [UInt8]) -> [Range<Int>] {
    var (ranges, start) = ([Range<Int>](), 0)
    while start + 16 <= bytes.count {
      let length = bytes[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard length <= UInt64(bytes.count - start - 16) else { break }
      ranges.append(start..<start + 16 + Int(length))
      start += 16 + Int(length)
    }
    return ranges
  }

  /// The step of an event as `write` makes them: nine bytes of wall time, then the step after its tag.
  private static func step(_ event: ArraySlice<UInt8>) -> Int {
    var (value, shift) = (0, 0)
    for byte in event.dropFirst(10).prefix(9) {
      value |= Int(byte & 0x7F) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    return value
  }

  public func add(_ scalars: [(tag: String, value: Double)], step: Int, unixSeconds: Double) throws {
    var summary: [UInt8] = []
    for (tag, value) in scalars where value.isFinite {
      var entry: [UInt8] = []
      TensorBoardFile.append(&entry, field: 1, bytes: Array(tag.utf8))
      entry.append(2 << 3 | 5)  // simple_value, 32 bits
      withUnsafeBytes(of: Float(value).bitPattern.littleEndian) { entry += $0 }
      TensorBoardFile.append(&summary, field: 1, bytes: entry)
    }
    try write(wallTime: unixSeconds, step: step, field: 5, summary)
  }

  private func write(wallTime: Double, step: Int, field: Int, _ payload: [UInt8]) throws {
    var event: [UInt8] = [1 << 3 | 1]
    withUnsafeBytes(of: wallTime.bitPattern.littleEndian) { event += $0 }
    event.append(2 << 3 | 0)
    TensorBoardFile.append(&event, varint: UInt64(step))
    TensorBoardFile.append(&event, field: field, bytes: payload)
    var record: [UInt8] = []
    let length = withUnsafeBytes(of: UInt64(event.count).littleEndian) { Array($0) }
    record += length
    record += TensorBoardFile.maskedChecksum(length)
    record += event
    record += TensorBoardFile.maskedChecksum(event)
    try record.withUnsafeBytes { try file.write($0) }
  }

  private static func append(_ bytes: inout [UInt8], varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private static func append(_ bytes: inout [UInt8], field: Int, bytes payload: [UInt8]) {
    append(&bytes, varint: UInt64(field << 3 | 2))
    append(&bytes, varint: UInt64(payload.count))
    bytes += payload
  }

  private static func maskedChecksum(_ bytes: [UInt8]) -> [UInt8] {
    let crc = CRC32C.checksum(bytes)
    let masked = (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    return withUnsafeBytes(of: masked.littleEndian) { Array($0) }
  }
}
