import Basics
import Stores

/// Scalars in the event-file format of TensorBoard: TFRecord frames around `Event` protocol buffers.
public final class TensorBoardFile {
  private let file: OutputFile

  /// - Parameters:
  ///   - unixSeconds: now; part of the file's name.
  ///   - firstUpdate: when resuming; TensorBoard then drops what an earlier process logged from there on.
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
      try write(wallTime: unixSeconds, step: firstUpdate, field: 7, [0x08, 0x01])
    }
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
