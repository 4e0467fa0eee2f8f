import Basics
import Communication
import Datasets
import Distribution
import Tensors

/// Frames of a simulated rank: read ahead as `FrameLoader` does it, at the rate of a machine's storage, exchanged by the ranks
/// of an instance, of which each reads its part of every frame, and then made.
final class VirtualLoader {
  private struct Loading {
    /// When this rank's part is decoded and packed.
    let ready: Double
    let planes: Tensor?
    let outgoing, incoming: [Tensor]
    var transfers: TransferGroup?
  }

  private static let tag = 40

  private let own: VirtualRank
  private let rank: ModelRank
  private let machine: MachineModel
  private let layout: Layout
  private let tiling: Tiling
  private let blocks: [FieldBlock]
  /// The bytes that this rank reads of one frame.
  private let bytesPerFrame: Int
  private let secondsPerFrame: Double
  private var queue: [Loading] = []
  private var readUntil = 0.0
  /// The frame that was read last, before it was packed.
  private var record: Tensor?
  /// Seconds that the rank waited for its own reading.
  private(set) var waitSeconds = 0.0
  private(set) var bytesRead = 0

  init(_ own: VirtualRank, _ rank: ModelRank, _ machine: MachineModel, _ layout: Layout, _ tiling: Tiling, fields: Int)
  {
    self.own = own
    self.rank = rank
    self.machine = machine
    self.layout = layout
    self.tiling = tiling
    let mesh = layout.mesh
    blocks = (0..<mesh.instance).map { index in
      FieldBlock(
        fields: chunk(fields, into: mesh.tensor, index % mesh.tensor),
        tokens: chunk(tiling.tokens, into: mesh.domain, index / mesh.tensor))
    }
    bytesPerFrame = layout.storedBytesPerFrame * layout.batch / mesh.instance
    // All ranks read at the same time.
    let rates = machine.readingBytesPerSecond
    let rate = min(
      rates.rank, rates.node / Double(min(machine.ranksPerNode, mesh.count)), rates.job / Double(mesh.count))
    secondsPerFrame = Double(bytesPerFrame) / rate
    for _ in 0..<max(1, layout.prefetch) { read() }
  }

  private var instance: any Communicator { rank.context.instance }
  private var block: FieldBlock { blocks[instance.rank] }

  /// Reads the next frame, one after the other.
  private func read() {
    readUntil = max(readUntil, own.clock) + secondsPerFrame
    bytesRead += bytesPerFrame
    guard blocks.count > 1 else {
      queue.append(Loading(ready: readUntil, planes: nil, outgoing: [], incoming: []))
      return
    }
    let compute = rank.compute
    func share(_ block: FieldBlock) -> Tensor {
      compute.tensor(
        [block.tokens.count * tiling.pointsPerToken * block.fields.count * layout.batch / blocks.count], for: .frames)
    }
    record = nil
    record = compute.tensor([tiling.fieldSize * blocks.last!.fields.upperBound / blocks.count], for: .frames)
    let planes = [block.fields.count, tiling.rows(block.tokens).count, tiling.columns, layout.batch]
    let peers = blocks.indices.filter { $0 != instance.rank }
    queue.append(
      Loading(
        ready: readUntil, planes: compute.tensor(planes, for: .frames), outgoing: peers.map { share(blocks[$0]) },
        incoming: peers.map { _ in share(block) }))
  }

  func next() throws -> Frame {
    let start = own.clock
    own.advance(to: queue[0].ready)
    waitSeconds += own.clock - start
    var first = queue.removeFirst()
    read()
    try begin(&first)
    for index in queue.indices where queue[index].ready <= own.clock { try begin(&queue[index]) }
    try first.transfers?.wait()
    let state = rank.compute.tensor(
      [block.tokens.count, layout.batch, tiling.pointsPerToken * block.fields.count], for: .frames)
    own.advance(by: machine.frameSecondsPerByte * Double(state.byteCount) * own.slowness)
    return Frame(state: state, times: Array(repeating: Timestamp(seconds: 0), count: layout.batch))
  }

  /// Starts the exchange of a frame that is ready.
  private func begin(_ loading: inout Loading) throws {
    if loading.transfers != nil { return }
    let peers = blocks.indices.filter { $0 != instance.rank }
    var transfers: [any Transfer] = []
    for (peer, tensor) in zip(peers, loading.incoming) {
      transfers.append(try instance.receive(Region(tensor), from: peer, tag: VirtualLoader.tag))
    }
    for (peer, tensor) in zip(peers, loading.outgoing) {
      transfers.append(try instance.send(Region(tensor), to: peer, tag: VirtualLoader.tag))
    }
    loading.transfers = TransferGroup(transfers)
  }
}
