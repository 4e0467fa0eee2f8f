import Basics
import Tensors

/// A machine to plan for: described by documents or measured, brought to a precision and a number of threads.
public struct PlannedMachine: Sendable {
  public var name: String
  public var summary: String
  /// The units of one rank, in words.
  public var rank: String
  /// This program doesn't run there yet.
  public var isGPU: Bool
  /// The precision of GEMMs that is predicted with: "tf32".
  public var precision: String
  /// Memory of one rank, bytes; nil when unknown.
  public var memoryBytes: Int?
  public var memoryBytesPerSecond: Double
  public var model: MachineModel
  /// The power of one rank with its share of the node; nil when unknown.
  public var watts: Double?
  /// Keys of figures that are assumptions.
  public var assumptions: [String]
}

extension PlannedMachine {
  /// A name of the catalogue, or a file: a description or what 'jigsaw bench machine' wrote.
  ///
  /// - Parameters:
  ///   - precision: "fp32", "tf32", "bf16", "bf16x3" (three GEMMs in bf16).
  ///   - threads: of each rank, as asked for; nil: a described machine's own, on a measured one what is configured.
  ///   - configured: threads of each rank; 0: the machine's processors, shared by the ranks on it.
  ///   - ranks: that are to run.
  ///   - nodes: measured machines that there are; of described ones there are as many as it takes.
  public static func open(
    _ machine: String, precision: String, threads: Int? = nil, configured: Int = 0, ranks: Int, nodes: Int = 1
  ) throws -> PlannedMachine {
    guard Files.exists(machine) else {
      return try MachineCatalogue.named(machine).planned(precision: precision, threads: threads ?? 0, place: machine)
    }
    let bytes = try Files.read(machine)
    // Rates that are measured for this plan alone lie in a file that nobody knows.
    let place = Temporary.isOne(machine) ? "this machine" : machine
    if try JSONValue(parsing: bytes, place: place)["format"]?.string == MachineRates.format {
      return try MachineRates(file: machine).planned(
        precision: precision, threads: threads ?? configured, ranks: ranks, nodes: nodes, place: place)
    }
    return try MachineDescription(json: bytes, place: place).planned(
      precision: precision, threads: threads ?? 0, place: place)
  }

  /// The products that stand for one in a precision: their type, and how many there are. Processors without rates of bf16 have no units
  /// for it: there the program multiplies in FP32.
  static func products(in precision: String, among types: Set<String>, isGPU: Bool) -> (type: String, count: Double) {
    guard let type = Precision(rawValue: precision), type != .fp32 else { return (precision, 1) }
    let halves = Precision.bf16.rawValue
    if !isGPU && !types.contains(halves) { return (Precision.fp32.rawValue, 1) }
    // Three products of halves in place of one.
    return (halves, type == .bf16x3 ? 3 : 1)
  }
}

extension MachineDescription {
  /// - Parameter threads: of each rank, on machines without GPUs; 0: as described.
  public func planned(precision: String, threads: Int, place: String) throws -> PlannedMachine {
    let rankShare = try rankShare(threads: threads, place: place)
    let model = try model(precision: precision, threads: threads, place: place)
    let watts = wattsPerRank.value * rankShare + wattsPerNode.value / Double(model.ranksPerNode)
    let rank = threads > 0 ? "\(threads) \(threads == 1 ? "core" : "cores")" : rank
    return PlannedMachine(
      name: name, summary: summary, rank: rank, isGPU: isGPU, precision: precision,
      memoryBytes: Int(memoryBytes.value * rankShare),
      memoryBytesPerSecond: memoryBytesPerSecond.value * memoryShareReached.value * rankShare, model: model,
      watts: watts, assumptions: figures.filter { $0.figure.isAssumed == true }.map(\.key))
  }

  /// The part of the described rank that one of so many threads is.
  private func rankShare(threads: Int, place: String) throws -> Double {
    if threads == 0 { return 1 }
    guard let coresPerRank, !isGPU else {
      throw JigsawError("--threads", "has no meaning for a rank that is \(rank)", remedy: "leave it out")
    }
    let cores = coresPerRank.value * ranksPerNode.value
    guard Double(threads) <= cores else {
      throw JigsawError(
        "--threads", "asks for more than a node has", expected: "at most \(Int(cores))", found: "\(threads)")
    }
    return Double(threads) / coresPerRank.value
  }

  /// - Parameter threads: of each rank, on machines without GPUs; 0: as described.
  public func model(precision: String, threads: Int = 0, place: String = "--machine") throws -> MachineModel {
    let share = try rankShare(threads: threads, place: place)
    let (type, count) = PlannedMachine.products(in: precision, among: Set(precisions.keys), isGPU: isGPU)
    guard let products = precisions[type] else {
      throw JigsawError(
        place, "has no rates of \(precision) products", found: precisions.keys.sorted().joined(separator: ", "),
        remedy: "choose one of these with --precision")
    }
    let peak = products.peakFLOPsPerSecond.value * share / count
    let rate = peak * products.shareReached.value
    let (operands, launch) = (products.halfSize.value / 3, launchSeconds.value)
    let bytesPerSecond = memoryBytesPerSecond.value * memoryShareReached.value * share
    func link(_ link: Link) -> MachineModel.Link {
      MachineModel.Link(
        latencySeconds: link.latencySeconds.value,
        bytesPerSecond: link.bytesPerSecond.value * link.shareReached.value)
    }
    var model = MachineModel(
      productSeconds: { product in
        let (m, n, k) = (Double(product.m), Double(product.n), Double(product.k))
        return launch + 2 * (m * n * k + operands * (n * k + m * k + m * n)) / rate
      },
      passSeconds: { launch + Double($0) / bytesPerSecond }, peakFLOPsPerSecond: peak,
      ranksPerNode: max(1, Int(ranksPerNode.value / share)), withinNode: link(withinNode),
      betweenNodes: link(betweenNodes))
    model.nodeBytesPerSecond = nodeBytesPerSecond.map { $0.value * betweenNodes.shareReached.value }
    model.transfersTakeProcessor = transfersTakeProcessor
    model.readingBytesPerSecond = (
      reading.rankBytesPerSecond.value * min(1, share), reading.nodeBytesPerSecond.value,
      reading.jobBytesPerSecond.value
    )
    model.frameSecondsPerByte = frameSecondsPerByte.value / share
    model.straggling = straggling.value
    model.threads = threads > 0 ? threads : coresPerRank.map { Int($0.value) } ?? 1
    model.programBytes = Int(programBytes.value)
    model.activationType = Precision(rawValue: precision)?.activationType ?? .float32
    return model
  }
}
