import Synchronization
import Tensors

/// Decoded numbers of one time.
struct FieldRecord: Sendable {
  let numbers: Tensor
  /// No value is missing.
  let isComplete: Bool
}

/// Decoded records of times kept in memory up to a limit.
final class FieldCache: Sendable {
  private struct State {
    var records: [Int: FieldRecord] = [:]
    var bytes = 0
  }

  private let byteLimit: Int
  private let state = Mutex(State())

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// Whether so many bytes still fit, `count` times.
  func hasRoom(_ bytes: Int, count: Int = 1) -> Bool {
    state.withLock { count <= (byteLimit - $0.bytes) / max(1, bytes) }
  }

  func record(_ time: Int) -> FieldRecord? { state.withLock { $0.records[time] } }

  /// Keeps it if there is room: whether it is kept, or was before.
  func store(_ time: Int, _ record: FieldRecord) -> Bool {
    let bytes = record.numbers.byteCount
    return state.withLock {
      if $0.records[time] != nil { return true }
      guard $0.bytes + bytes <= byteLimit else { return false }
      $0.records[time] = record
      $0.bytes += bytes
      return true
    }
  }
}

/// Decoded records of the times that are stored together with the one read last: for passes over times in ascending order,
/// which don't come back, and so decode each stored chunk once with the memory for one, however long they are.
final class FieldWindow: Sendable {
  private let byteLimit: Int
  private let records = Mutex<[Int: FieldRecord]>([:])

  /// - Parameter byteLimit: nil: a little.
  init(byteLimit: Int?) { self.byteLimit = byteLimit ?? 256 << 20 }

  func record(_ time: Int) -> FieldRecord? { records.withLock { $0[time] } }

  /// Which of the times that are stored together are read with one of them: those from there on, as far as they fit.
  ///
  /// - Parameter bytesEach: memory for a time while it is read.
  func part(of together: Range<Int>, from time: Int, bytesEach: Int) -> Range<Int> {
    time..<min(together.upperBound, time + max(1, byteLimit / max(1, bytesEach)))
  }

  /// Lets go of what it holds, before its memory is needed for what comes next.
  func clear() { records.withLock { $0 = [:] } }

  func hold(_ time: Int, _ record: FieldRecord) { records.withLock { $0[time] = record } }
}
