import Basics
import Communication
import Tensors

/// A reduce-scatter in rounds: partial sums on their way to the ranks they belong to. In each round every rank computes a part for every other rank of
/// the axis, sends it while it computes the next, and its own part last; what comes in is added as it arrives, the last of it
/// by `finish`.
final class ReduceScatterStream {
  private typealias Arrival = (lines: Range<Int>, part: Tensor, transfer: any Transfer)

  private let communicator: any Communicator
  private let compute: Compute
  /// Extent of the parts across the dimension they are cut along, whether they are cut by rows, and how many messages a
  /// part goes in.
  private let lines: Int
  private let areRows: Bool
  private let slices: Int
  private var sends: [any Transfer] = []
  private var arriving: [Arrival] = []
  private var target: Matrix?
  private var isFilled = false

  init(_ communicator: any Communicator, _ compute: Compute, lines: Int, areRows: Bool, slices: Int) {
    self.communicator = communicator
    self.compute = compute
    self.lines = lines
    self.areRows = areRows
    self.slices = slices
  }

  private func makePart(_ length: Int, _ lines: Range<Int>) -> Tensor {
    compute.tensor(areRows ? [length, lines.count] : [lines.count, length], for: .exchange)
  }

  /// Lines that travel in one message.
  private var messages: [Range<Int>] { (0..<slices).map { chunk(lines, into: slices, $0) }.filter { !$0.isEmpty } }

  /// Computes and sends the parts of all ranks, one round of the stream.
  ///
  /// - Parameters:
  ///   - target: where this rank's part goes; nil when it is empty.
  ///   - accumulate: whether to add to what `target` holds.
  ///   - part: the positions that belong to a rank of the axis.
  ///   - product: computes the part for some positions and lines.
  func exchange(
    into target: Matrix?, accumulate: Bool, part: (Int) -> Range<Int>,
    compute product: (Range<Int>, Range<Int>, Matrix, Bool) throws -> Void
  ) throws {
    let (rank, size) = (communicator.rank, communicator.size)
    let own = part(rank)
    try addArriving()
    self.target = target
    isFilled = accumulate
    for step in 1..<max(size, 1) {
      let (destination, source) = ((rank + step) % size, (rank + size - step) % size)
      let previous = arriving
      arriving = []
      if !own.isEmpty {
        for lines in messages {
          let incoming = makePart(own.count, lines)
          arriving.append((lines, incoming, try communicator.receive(Region(incoming), from: source, tag: 4)))
        }
      }
      let theirs = part(destination)
      if !theirs.isEmpty {
        for lines in messages {
          let outgoing = makePart(theirs.count, lines)
          try product(theirs, lines, outgoing.matrix, false)
          // At most two parts are on their way out.
          if sends.count >= 2 * slices { try sends.removeFirst().wait() }
          sends.append(try communicator.send(Region(outgoing), to: destination, tag: 4))
        }
      }
      if !communicator.policy.overlaps {
        for send in sends { try send.wait() }
        for (_, _, transfer) in arriving { try transfer.wait() }
      }
      try add(previous)
    }
    if let target {
      try product(own, 0..<lines, target, isFilled)
      isFilled = true
    }
  }

  private func add(_ parts: [Arrival]) throws {
    guard let target, !parts.isEmpty else { return }
    for (lines, part, transfer) in parts {
      try transfer.wait()
      let place = areRows ? target.columns(lines) : target.rows(lines)
      place.take(part.matrix, accumulate: isFilled, compute)
    }
    isFilled = true
  }

  private func addArriving() throws {
    try add(arriving)
    arriving = []
  }

  /// Returns when all has left and arrived.
  func finish() throws {
    try addArriving()
    for send in sends { try send.wait() }
    sends = []
  }
}
