/// The published code's GEMMs and their messages, rank by rank, as its `distributed_matmul.py` queues them
/// (github.com/DeifiliaTo/Jigsaw_SC, read on 2026-11-22). Nothing in here is ours: it is there to be compared with.
///
/// With 2 ranks columns are split over them; with 4 each matrix is cut into quarters, rank 2·i + j holding block (i, j).
/// The two directions between a pair of ranks share a stream and so take turns: sends and receives of
/// torch.distributed that are not batched run one after the other.
struct PublishedProducts {
  /// X[m, k]·W[k, n], X[m, k]·W[n, k]ᵀ, X[k, m]ᵀ·W[k, n].
  enum Kind { case xw, xwt, xtw }

  /// What the ranks' own streams are asked for, in units of work.
  struct Costs {
    var flopsPerSecond: Double
    /// Of passes over memory, reads and writes counted.
    var bytesPerSecond: Double
  }

  let ways: Int
  let costs: Costs
  private(set) var streams: StreamSimulation
  /// Of GEMMs, by rank.
  private(set) var flops: [Double]
  /// Sent, all ranks together.
  private(set) var bytesSent = 0.0
  /// Bytes of the gradients that are complete at each mark, per rank.
  private(set) var gradients: [Double] = []

  init(ways: Int, costs: Costs) {
    precondition([1, 2, 4].contains(ways))
    self.ways = ways
    self.costs = costs
    streams = StreamSimulation(ranks: ways)
    flops = Array(repeating: 0, count: ways)
  }

  /// A pass over this rank's share of `numbers` FP32 elements of the whole instance, so often read or written.
  mutating func pass(_ accesses: Double, over numbers: Int) {
    for rank in 0..<ways { pass(accesses, over: numbers, rank: rank) }
  }

  /// A gradient of so many numbers of the whole instance is complete.
  mutating func completeGradient(numbers: Int) {
    gradients.append(4 * Double(numbers) / Double(ways))
    for rank in 0..<ways { streams.append(.mark, rank: rank) }
  }

  /// C[m, n] with sums over k, sizes of the whole instance.
  mutating func product(_ kind: Kind, m: Int, n: Int, k: Int) {
    switch ways {
    case 1: multiply(m, n, k, rank: 0)
    case 2: twoWay(kind, m, n, k)
    default: fourWay(kind, m, n, k)
    }
  }

  /// The explicit transpose after token mixing, of a matrix of so many numbers.
  mutating func transpose(numbers: Int) {
    let share = Double(4 * numbers / ways)
    switch ways {
    case 1: break
    case 2:
      let (sent, received) = exchange(0, 1, bytes: share / 2)
      pass(2, over: numbers / 2)
      wait([sent, received], ranks: [0, 1])
      pass(2, over: numbers / 2)
    default:
      let (sent, received) = exchange(1, 2, bytes: share)
      wait([sent, received], ranks: [1, 2])
    }
  }

  private mutating func pass(_ accesses: Double, over numbers: Int, rank: Int) {
    streams.append(.work(accesses * 4 * Double(numbers) / Double(ways) / costs.bytesPerSecond), rank: rank)
  }

  private mutating func multiply(_ m: Int, _ n: Int, _ k: Int, rank: Int) {
    let count = 2 * Double(m) * Double(n) * Double(k)
    flops[rank] += count
    streams.append(.work(count / costs.flopsPerSecond), rank: rank)
  }

  /// From a to b, posted by a only when `by` says so; both ends are posted at once where it is nil.
  private mutating func send(_ a: Int, _ b: Int, bytes: Double, postedBy ranks: [Int]? = nil) -> Int {
    let id = streams.message(between: a, and: b, bytes: bytes)
    bytesSent += bytes
    for rank in ranks ?? [a, b] { streams.append(.post(message: id), rank: rank) }
    return id
  }

  private mutating func exchange(_ a: Int, _ b: Int, bytes: Double) -> (Int, Int) {
    (send(a, b, bytes: bytes), send(b, a, bytes: bytes))
  }

  private mutating func post(_ id: Int, rank: Int) { streams.append(.post(message: id), rank: rank) }

  private mutating func wait(_ ids: [Int], ranks: [Int]) {
    for rank in ranks { for id in ids { streams.append(.wait(message: id), rank: rank) } }
  }

  // MARK: Two ranks: two halves of a GEMM each

  private mutating func twoWay(_ kind: Kind, _ m: Int, _ n: Int, _ k: Int) {
    func half(_ scheme: inout PublishedProducts) {
      for rank in 0..<2 {
        switch kind {
        case .xw, .xwt: scheme.multiply(m, n / 2, k / 2, rank: rank)
        case .xtw: scheme.multiply(m / 2, n / 2, k, rank: rank)
        }
      }
    }
    switch kind {
    case .xwt:
      // The partner's half first; its way to the partner is hidden behind the own half.
      half(&self)
      let (sent, received) = exchange(0, 1, bytes: Double(4 * m * (n / 2)))
      half(&self)
      wait([sent, received], ranks: [0, 1])
      pass(3, over: m * n)
    case .xw, .xtw:
      // The partner's columns of X come during the half that needs the own ones.
      let (sent, received) = exchange(0, 1, bytes: Double(4 * m * k / 2))
      half(&self)
      wait([sent, received], ranks: [0, 1])
      half(&self)
      pass(kind == .xw ? 3 : 2, over: m * n)
    }
  }

  // MARK: Four ranks: eight GEMMs of blocks

  private mutating func fourWay(_ kind: Kind, _ m: Int, _ n: Int, _ k: Int) {
    let block = Block(
      m: m / 2, n: n / 2, k: k / 2, xBytes: Double(m * k), wBytes: Double(n * k), cBytes: Double(m * n))
    if kind == .xw { balanced(block) } else { unbalanced(block, partialsStayInRow: kind == .xwt) }
  }

  /// Quarters of the operands and of the result.
  private struct Block {
    var m, n, k: Int
    var xBytes, wBytes, cBytes: Double
  }

  private mutating func multiply(_ block: Block, rank: Int) { multiply(block.m, block.n, block.k, rank: rank) }
  private mutating func add(_ block: Block, rank: Int) { pass(3, over: 4 * block.m * block.n, rank: rank) }

  /// X·W: two GEMMs each. Ranks 0 and 3 hide all transfers behind their first GEMM; ranks 1 and 2 wait for X before
  /// their first and for W before their second one.
  private mutating func balanced(_ block: Block) {
    let x = [exchange(0, 1, bytes: block.xBytes), exchange(2, 3, bytes: block.xBytes)]
    let w = [(0, 2), (3, 1)].map { outer, inner in
      (
        send(outer, inner, bytes: block.wBytes, postedBy: [outer]),
        send(inner, outer, bytes: block.wBytes, postedBy: [outer])
      )
    }
    for (outer, inner, x, ownW, otherW) in [(0, 1, x[0], w[0], w[1]), (3, 2, x[1], w[1], w[0])] {
      multiply(block, rank: outer)
      wait([x.0, x.1, ownW.0, ownW.1], ranks: [outer])
      multiply(block, rank: outer)
      add(block, rank: outer)
      wait([x.0, x.1], ranks: [inner])
      multiply(block, rank: inner)
      for id in [otherW.0, otherW.1] { streams.append(.post(message: id), rank: inner) }
      wait([otherW.0, otherW.1], ranks: [inner])
      multiply(block, rank: inner)
      add(block, rank: inner)
    }
  }

  /// X·Wᵀ and Xᵀ·W: one GEMM on ranks 0 and 3, three on ranks 1 and 2. The first one there is a partial sum of rank 0 or
  /// 3, of the same row of ranks (X·Wᵀ) or of the same column (Xᵀ·W).
  private mutating func unbalanced(_ block: Block, partialsStayInRow: Bool) {
    // By sender: X goes to the other rank of its row, W to that of its column.
    let x = [0: send(0, 1, bytes: block.xBytes), 3: send(3, 2, bytes: block.xBytes)]
    let w = [0: send(0, 2, bytes: block.wBytes), 3: send(3, 1, bytes: block.wBytes)]
    let (from1, from2) = exchange(1, 2, bytes: partialsStayInRow ? block.wBytes : block.xBytes)
    for (inner, xSender, wSender, sent, received) in [(1, 0, 3, from1, from2), (2, 3, 0, from2, from1)] {
      guard let x = x[xSender], let w = w[wSender] else { preconditionFailure("ranks 0 and 3 send") }
      let outer = partialsStayInRow ? xSender : wSender
      multiply(block, rank: inner)
      let partial = send(inner, outer, bytes: block.cBytes)
      wait([sent, partial, partialsStayInRow ? w : x], ranks: [inner])
      multiply(block, rank: inner)
      wait([received, partialsStayInRow ? x : w], ranks: [inner])
      multiply(block, rank: inner)
      add(block, rank: inner)

      multiply(block, rank: outer)
      wait([partial], ranks: [outer])
      add(block, rank: outer)
    }
  }
}
