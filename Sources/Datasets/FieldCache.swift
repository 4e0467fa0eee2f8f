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

  /// Whether so many bytes still fit.
  func hasRoom(_ bytes: Int) -> Bool { state.withLock { $0.bytes + bytes <= byteLimit } }

  func record(_ time: Int) -> FieldRecord? { state.withLock { $0.records[time] } }

  /// Keeps it if there is room.
  func store(_ time: Int, _ record: FieldRecord) {
    let bytes = record.numbers.byteCount
    state.withLock {
      guard $0.bytes + bytes <= byteLimit, $0.records[time] == nil else { return }
      $0.records[time] = record
      $0.bytes += bytes
    }
  }
}
