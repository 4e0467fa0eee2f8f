import Basics
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

extension MachineRates {
  /// - Throws: when nodes like this one have no processors for so many ranks.
  private func requireRoom(ranks: Int, threads: Int, nodes: Int) throws {
    let ranksPerNode = max(1, cpus / threads)
    guard ranks > nodes * ranksPerNode else { return }
    let needed = (ranks + ranksPerNode - 1) / ranksPerNode
    throw JigsawError(
      "plan",
      "\(ranks) ranks of \(threads) \(threads == 1 ? "thread" : "threads") need more processors than there are",
      expected: "at most \(nodes * ranksPerNode) ranks on \(nodes) \(nodes == 1 ? "machine" : "machines") of \(cpus)",
      found: "\(ranks)",
      remedy: "plan for fewer ranks or threads, or for \(needed) such machines with --nodes \(needed)")
  }

  /// - Parameters:
  ///   - threads: of each rank; 0: all processors, shared by as many ranks as run.
  ///   - ranks: that are to run.
  ///   - nodes: machines like this one that there are.
  /// - Throws: also when these have no processors for so many ranks.
  public func planned(precision: String, threads: Int, ranks: Int, nodes: Int = 1, place: String) throws
    -> PlannedMachine
  {
    let perNode = (ranks + nodes - 1) / nodes
    let threads = threads > 0 ? threads : max(1, cpus / max(1, min(perNode, cpus)))
    guard threads <= cpus else {
      throw JigsawError(
        "--threads", "asks for more than \(place) has", expected: "at most \(cpus)", found: "\(threads)")
    }
    let ranksPerNode = max(1, cpus / threads)
    try requireRoom(ranks: ranks, threads: threads, nodes: nodes)
    let busy = min(ranks, ranksPerNode)
    let types = Set(self.products.map(\.type))
    let (type, parts) = PlannedMachine.products(in: precision, among: types, isGPU: false)
    guard let products = MeasuredProducts(self, type: type, threads: threads, copies: busy) else {
      throw JigsawError(
        place, "has no rates of \(precision) products",
        found: types.isEmpty ? "none" : types.sorted().joined(separator: ", "),
        remedy: types.isEmpty ? "measure anew with 'jigsaw bench machine'" : "choose one of these with --precision")
    }
    guard let memory = MeasuredMemory(self, threads: threads, copies: busy) else {
      throw JigsawError(place, "has no rates of memory", remedy: "measure anew with 'jigsaw bench machine'")
    }
    let call = (calls ?? []).min { abs($0.threads - threads) < abs($1.threads - threads) }?.seconds ?? 0
    let peak = (multiplyAddPeak(type: type, threads: threads) ?? products.fastest) / parts
    // Measured with processes where that was done, as they will run.
    let own = links.filter(\.isOnSameHost)
    let within = (own.last ?? links.first).map(MachineModel.Link.init)
    let between = (links.first { !$0.isOnSameHost } ?? own.last).map(MachineModel.Link.init)
    if ranks > 1 && (within == nil || between == nil) {
      throw JigsawError(place, "has no link between ranks", remedy: "measure anew with 'jigsaw bench machine'")
    }
    let areKernelsHere = kernels == Compute.kernelSet
    let none = MachineModel.Link(latencySeconds: 0, bytesPerSecond: .infinity)
    var model = MachineModel(
      productSeconds: { parts * products.seconds($0) }, passSeconds: { call + memory.seconds($0) },
      peakFLOPsPerSecond: peak, ranksPerNode: ranksPerNode, withinNode: within ?? none, betweenNodes: between ?? none)
    model.nodeBytesPerSecond = between?.bytesPerSecond
    model.transfersTakeProcessor = true
    // Read and written, twice: normalising and tiling.
    model.frameSecondsPerByte = 4 * memory.seconds(1 << 30) / Double(1 << 30)
    model.threads = threads
    // Known of this machine's kernels alone.
    model.productScratchBytes = { product in
      guard areKernelsHere, let precision = Precision(rawValue: precision) else { return 0 }
      return precision.productScratchBytes(m: product.m, n: product.n, k: product.k)
    }
    model.programBytes = MachineModel.measuredProgramBytes + libraryBytes(ranks: ranks)
    let gelu = (gelus ?? []).min { abs($0.threads - threads) < abs($1.threads - threads) }
    model.geluSeconds = gelu.map { Double($0.threads) / Double(threads) / $0.numbersPerSecond } ?? 0
    model.activationType = Precision(rawValue: precision)?.activationType ?? .float32
    if let norms = MeasuredNorms(self, threads: threads) { model.rowSumSeconds = norms.seconds }
    return PlannedMachine(
      name: host, summary: "\(processor), \(cpus) CPUs, \(kernels) kernels, measured \(measured)",
      rank: "\(threads) \(threads == 1 ? "thread" : "threads")", isGPU: false, precision: precision,
      memoryBytes: memoryBytes.map { $0 / busy }, memoryBytesPerSecond: Double(1 << 30) / memory.seconds(1 << 30),
      model: model, watts: nil, assumptions: ranks > ranksPerNode && links.allSatisfy(\.isOnSameHost) ? ["links"] : [])
  }

  /// Memory of the library of ranks beside the program.
  private func libraryBytes(ranks: Int) -> Int {
    ranks > 1 ? max(0, (residentBytesWithRanks ?? 0) - (residentBytes ?? residentBytesWithRanks ?? 0)) : 0
  }
}

extension MachineModel.Link {
  init(_ link: MachineRates.Link) {
    self.init(latencySeconds: link.latencySeconds, bytesPerSecond: link.bytesPerSecond)
  }
}

/// Rates of GEMMs between the sizes that were measured.
struct MeasuredProducts: Sendable {
  private struct Point: Sendable {
    /// Binary logarithms of m, n, k, and of the rate.
    let size: SIMD3<Double>
    let rate: Double
  }

  private let points: [Point]
  /// FLOP/s, the highest of all.
  let fastest: Double

  /// The rates of so many threads with so many copies at once, or of what comes nearest to that.
  init?(_ rates: MachineRates, type: String, threads: Int, copies: Int) {
    let typed = rates.products.filter { $0.type == type }
    guard let count = nearestCount(typed.map(\.threads), to: threads) else { return nil }
    let ofCount = typed.filter { $0.threads == count }
    let most = nearestCount(ofCount.map { $0.copies ?? 1 }, to: copies)
    let scale = Double(threads) / Double(count)
    // The same size with its operands in different layouts counts by its mean.
    var sums: [SIMD3<Double>: (rate: Double, count: Int)] = [:]
    for product in ofCount where (product.copies ?? 1) == most {
      let size = SIMD3(log2(Double(product.m)), log2(Double(product.n)), log2(Double(product.k)))
      let sum = sums[size] ?? (0, 0)
      sums[size] = (sum.rate + log2(product.flopsPerSecond * scale), sum.count + 1)
    }
    // In an order of their own, so that the same neighbours are taken each time.
    points = sums.map { Point(size: $0.key, rate: $0.value.rate / Double($0.value.count)) }.sorted {
      ($0.size.x, $0.size.y, $0.size.z) < ($1.size.x, $1.size.y, $1.size.z)
    }
    fastest = exp2(points.map(\.rate).max() ?? 0)
  }

  private static let neighbours = 8

  /// FLOP/s, from the nearest measured sizes by inverse distances to the fourth power, all in logarithms: what was measured
  /// comes out as it was measured.
  func rate(_ product: MachineModel.Product) -> Double {
    let size = SIMD3(log2(Double(product.m)), log2(Double(product.n)), log2(Double(product.k)))
    let near = points.map { point -> (distance: Double, rate: Double) in
      let difference = point.size - size
      return ((difference * difference).sum(), point.rate)
    }.sorted { $0.distance < $1.distance }.prefix(MeasuredProducts.neighbours)
    var (sum, weights) = (0.0, 0.0)
    for point in near {
      if point.distance < 1e-12 { return exp2(point.rate) }
      let weight = 1 / (point.distance * point.distance)
      sum += weight * point.rate
      weights += weight
    }
    return exp2(sum / weights)
  }

  func seconds(_ product: MachineModel.Product) -> Double {
    product.flops == 0 ? 0 : Double(product.flops) / rate(product)
  }
}

/// Rates of passes over memory, by how much they touch.
struct MeasuredMemory: Sendable {
  /// Bytes of one thread, ascending, and bytes/s of all.
  private let levels: [(bytes: Double, rate: Double)]
  private let threads: Double

  init?(_ rates: MachineRates, threads: Int, copies: Int) {
    // The elements that a pass reads were used by others before: they don't lie in the first level.
    let lower = rates.memory.filter { $0.level != "L1" }
    guard let count = nearestCount(lower.map(\.threads), to: threads) else { return nil }
    let ofCount = lower.filter { $0.threads == count }
    let most = nearestCount(ofCount.map { $0.copies ?? 1 }, to: copies)
    let scale = Double(threads) / Double(count)
    let levels = Dictionary(grouping: ofCount.filter { ($0.copies ?? 1) == most }, by: \.workingSetBytes)
    self.levels = levels.map { bytes, found in
      (Double(bytes), scale * found.map(\.bytesPerSecond).reduce(0, +) / Double(found.count))
    }.sorted { $0.bytes < $1.bytes }
    self.threads = Double(threads)
  }

  /// Linear in logarithms between what was measured.
  func seconds(_ bytes: Int) -> Double {
    let own = max(1, Double(bytes) / threads)
    guard let above = levels.firstIndex(where: { $0.bytes >= own }) else {
      return Double(bytes) / levels[levels.count - 1].rate
    }
    guard above > 0 else { return Double(bytes) / levels[0].rate }
    let (a, b) = (levels[above - 1], levels[above])
    let part = log(own / a.bytes) / log(b.bytes / a.bytes)
    return Double(bytes) / exp(log(a.rate) + part * log(b.rate / a.rate))
  }
}

/// Seconds of LayerNorm by the length of its rows: so many for a row, and so many for each of its elements.
struct MeasuredNorms: Sendable {
  private let rowSeconds: Double
  private let numberSeconds: Double

  init?(_ rates: MachineRates, threads: Int) {
    let norms = rates.norms ?? []
    guard let count = nearestCount(norms.map(\.threads), to: threads) else { return nil }
    let measured = norms.filter { $0.threads == count }.sorted { $0.columns < $1.columns }
    guard let shortest = measured.first, let longest = measured.last else { return nil }
    let scale = Double(count) / Double(threads)
    func seconds(_ norm: MachineRates.Norm) -> Double { scale * Double(norm.columns) / norm.numbersPerSecond }
    let more = Double(longest.columns - shortest.columns)
    let slope = more > 0 ? max(0, (seconds(longest) - seconds(shortest)) / more) : 0
    rowSeconds = max(0, seconds(shortest) - slope * Double(shortest.columns))
    numberSeconds = slope
  }

  @Sendable func seconds(_ columns: Int) -> Double { rowSeconds + Double(columns) * numberSeconds }
}

/// The count that is nearest as a ratio.
private func nearestCount(_ counts: [Int], to count: Int) -> Int? {
  counts.min { abs(log(Double($0) / Double(count))) < abs(log(Double($1) / Double(count))) }
}
