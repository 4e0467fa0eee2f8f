import Tensors

/// All fields of a view's dates, read in ascending order: those that are stored together at once, as far as they fit into memory.
final class ViewWindow {
  private let view: any FieldView
  private let runs: DateRuns
  private let wanted: Set<Int>
  private let window: FieldWindow
  private let memory = BufferPool()

  /// - Parameters:
  ///   - wanted: dates that will be read.
  ///   - bytes: memory for decoded fields; nil: a little.
  init(_ view: any FieldView, of wanted: Set<Int>, bytes: Int?) {
    self.view = view
    self.wanted = wanted
    runs = view.storedDates
    window = FieldWindow(byteLimit: bytes)
  }

  /// Fills [variables, points] of a date.
  func read(_ date: Int, into planes: UnsafeMutablePointer<Float>) throws {
    let (variables, points) = (view.variables.count, view.points.count)
    if let held = window.record(date) {
      planes.update(from: held.numbers.pointer, count: variables * points)
      return
    }
    window.clear()
    let bytesEach = variables * (points + view.pointsOnTheWay) * MemoryLayout<Float>.size
    let dates = window.part(of: runs.run(of: date), from: date, bytesEach: bytesEach).filter { wanted.contains($0) }
    // The first goes where it is wanted.
    let others = dates.dropFirst().map { _ in
      Tensor(
        shape: [variables, points], buffer: memory.buffer(byteCount: variables * points * MemoryLayout<Float>.size))
    }
    let starts = [planes] + others.map(\.pointer)
    let part = WantedPart(dates: dates, variables: Array(0..<variables), member: 0, points: 0..<points)
    try view.read(part) { starts[$0] + $1 * points }
    for (other, tensor) in zip(dates.dropFirst(), others) {
      window.hold(other, FieldRecord(numbers: tensor, isComplete: false))
    }
  }
}
