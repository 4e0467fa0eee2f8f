import Basics
import Datasets

/// A weighted sum of fields.
final class ClimatologySum: @unchecked Sendable {
  let count: Int
  /// Written to by the threads of `ClimatologyAdding`, each to elements of its own.
  let values: UnsafeMutablePointer<Double>
  /// The weight of all that was added.
  fileprivate(set) var weight = 0.0

  init(count: Int) {
    self.count = count
    values = .allocate(capacity: count)
    values.initialize(repeating: 0, count: count)
  }

  deinit { values.deallocate() }
}

/// Reads fields and adds them to sums, some times at once, so that sums go through memory less often, on several threads.
/// Every element is added to in the order of times.
final class ClimatologyAdding {
  private struct Term: Sendable {
    let sum: ClimatologySum
    let weight: Double
    let plane: Int
  }

  private let reader: ChannelReader
  private let workers: WorkerPool
  /// [channel, row, column] by time.
  private var planes: [[Float]] = []
  private var held = 0
  private var terms: [Term] = []

  static let timesAtOnce = 4
  private static let elementsAtOnce = 4_096

  init(_ reader: ChannelReader, _ workers: WorkerPool) {
    self.reader = reader
    self.workers = workers
  }

  /// Reads a time, to be added to sums with their weights.
  func add(_ time: Int, to sums: [(sum: ClimatologySum, weight: Double)]) throws {
    if planes.count == held { planes.append([Float](repeating: 0, count: reader.count)) }
    try reader.readChecked(time: time, into: &planes[held])
    terms += sums.map { Term(sum: $0.sum, weight: $0.weight, plane: held) }
    for (sum, weight) in sums { sum.weight += weight }
    held += 1
    if held == ClimatologyAdding.timesAtOnce { finish() }
  }

  /// Adds what was read and not added yet.
  func finish() {
    let (count, planes) = (reader.count, planes)
    // The terms of a sum one after the other, in the order of times.
    let sums = Dictionary(grouping: terms, by: { ObjectIdentifier($0.sum) }).map(\.value)
    let pieces = (count + ClimatologyAdding.elementsAtOnce - 1) / ClimatologyAdding.elementsAtOnce
    workers.run(sums.isEmpty ? 0 : pieces) { piece in
      let first = piece * ClimatologyAdding.elementsAtOnce
      let size = min(ClimatologyAdding.elementsAtOnce, count - first)
      for terms in sums {
        for term in terms {
          let (values, weight) = (term.sum.values + first, term.weight)
          planes[term.plane].withUnsafeBufferPointer { plane in
            let plane = plane.baseAddress! + first
            for i in 0..<size { values[i] += weight * Double(plane[i]) }
          }
        }
      }
    }
    (terms, held) = ([], 0)
  }
}
