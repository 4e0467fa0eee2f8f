import Tensors

/// A simulated rank: a clock that its work and its waiting move on, and counts of that work.
///
/// Used by one thread at a time, the one that `VirtualRanks` lets run.
final class VirtualRank: WorkMeter, @unchecked Sendable {
  /// The state of the rank as far as the others are concerned.
  enum State {
    case ready
    case waiting(for: String)
    case finished
  }

  /// In the world.
  let index: Int
  private let machine: MachineModel
  var state = State.ready
  /// Seconds since the start.
  private(set) var clock = 0.0 { didSet { if clock > oldValue { isCaughtUp = false } } }
  /// Whether all that others do before its time is done.
  var isCaughtUp = false
  /// Whether it lets others do that.
  var isCatchingUp = false
  /// How much longer than others it takes for its work.
  var slowness = 1.0
  private var messages = 0
  private(set) var productFLOPs = 0
  private(set) var passBytes = 0
  /// Scratch memory of GEMMs, by size: a pool keeps one piece of each for each thread.
  private(set) var scratchBytes: Set<Int> = []

  /// How many times transfers are progressed during a matrix product.
  private static let pauses = 8

  init(_ index: Int, _ machine: MachineModel) {
    self.index = index
    self.machine = machine
  }

  func nextMessageNumber() -> Int {
    messages += 1
    return messages
  }

  /// Time passes for the rank, whether it works or waits.
  func advance(by seconds: Double) { clock += seconds }

  func advance(to time: Double) { clock = max(clock, time) }

  /// The rank's wait is over.
  func resume(at time: Double) {
    advance(to: time)
    state = .ready
  }

  func product(m: Int, n: Int, k: Int, pause: (() -> Void)?) {
    let product = MachineModel.Product(m: m, n: n, k: k)
    productFLOPs += product.flops
    scratchBytes.insert(machine.productScratchBytes(product))
    let seconds = machine.productSeconds(product) * slowness
    guard let pause else { return advance(by: seconds) }
    for _ in 0..<VirtualRank.pauses {
      advance(by: seconds / Double(VirtualRank.pauses))
      pause()
    }
  }

  func pass(bytes: Int, _ arithmetic: PassArithmetic) {
    passBytes += bytes
    advance(by: max(machine.passSeconds(bytes), machine.seconds(arithmetic)) * slowness)
  }
}
