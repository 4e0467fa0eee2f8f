import Synchronization

/// Decoded records of times kept in memory up to a limit.
final class FieldCache: Sendable {
  private struct State {
    var records: [Int: [Float]] = [:]
    var bytes = 0
  }

  private let byteLimit: Int
  private let state = Mutex(State())

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// Whether so many bytes still fit.
  func hasRoom(_ bytes: Int) -> Bool { state.withLock { $0.bytes + bytes <= byteLimit } }

  func read(_ time: Int, into out: UnsafeMutablePointer<Float>) -> Bool {
    guard let record = state.withLock({ $0.records[time] }) else { return false }
    record.withUnsafeBufferPointer { if let base = $0.baseAddress { out.update(from: base, count: $0.count) } }
    return true
  }

  func store(_ time: Int, _ record: UnsafeBufferPointer<Float>) {
    let bytes = record.count * MemoryLayout<Float>.size
    guard hasRoom(bytes) else { return }
    let copy = Array(record)
    state.withLock {
      guard $0.bytes + bytes <= byteLimit, $0.records[time] == nil else { return }
      $0.records[time] = copy
      $0.bytes += bytes
    }
  }
}
