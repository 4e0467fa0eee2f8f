import Basics
import Communication
import Tensors

/// `jigsaw bench machine`: what the processor, its memory and the links between ranks give, into a file. One rank measures the
/// machine; several measure the links between them and add these to the file.
public struct BenchMachine {
  /// Where the result goes; by default where trainings look for it.
  private let path: String
  /// Few sizes and repetitions, below 5 s.
  private let isQuick: Bool
  private let threads: Int
  private let world: any Communicator
  private let console: Console

  public init(
    output: String? = nil, isQuick: Bool = false, threads: Int = 0, on world: any Communicator = SingleRank(),
    console: Console = Console()
  ) throws {
    guard let path = output ?? MachineRates.standardPath else {
      throw JigsawError(
        "bench machine", "has no place for its file: neither HOME nor XDG_CACHE_HOME is set",
        remedy: "name one with --output")
    }
    self.path = path
    self.isQuick = isQuick
    self.threads = threads > 0 ? threads : ThreadTeam.availableCPUs
    self.world = world
    self.console = world.rank == 0 ? console : .silent
  }

  /// - Returns: tables for people, on the first rank.
  public func run() throws -> String {
    try Agreement.check(
      "bench machine", nil, [("--output", path), ("--quick", isQuick ? "yes" : "no")], on: world)
    var rates: MachineRates?
    if world.size > 1 {
      try world.together(onlyOn: 0) {
        guard Files.exists(path) else {
          throw JigsawError(
            path, "is not there yet", remedy: "measure the machine with 'jigsaw bench machine' on one rank first")
        }
        rates = try MachineRates(file: path)
      }
      let links = try LinkRates.measure(world, repetitions: rounds * repetitions)
      rates?.links.removeAll { $0.carrier == world.name }
      rates?.links += links
      // Ranks that are threads share one process.
      if Ranks.isUnderLauncher { rates?.residentBytesWithRanks = Machine.residentMemory }
    } else {
      // The path may be a slip: nothing but an earlier description is replaced, which in its own place may be damaged.
      if Files.exists(path), path != MachineRates.standardPath, (try? MachineRates(file: path)) == nil {
        throw JigsawError(path, "already exists and is no description of a machine", remedy: "name another --output")
      }
      let load = OtherLoad()
      rates = try measured()
      rates?.otherLoad = load.processors
    }
    var text = ""
    try world.together(onlyOn: 0) {
      guard let rates else { return }
      try rates.write(to: path)
      text = BenchMachine.tables(rates) + "\n\nsaved \(path)"
    }
    return text
  }

  /// Each rate is the median over rounds of the median of some repetitions: what else runs for some seconds spoils one round of
  /// the rates that are measured then, not their result.
  private var rounds: Int { isQuick ? 1 : 3 }
  private var repetitions: Int { 3 }
  private var seconds: Double { isQuick ? 0.01 : 0.05 }

  private func median(_ body: () -> Double) -> Double { Basics.median((0..<repetitions).map { _ in body() }) }

  private func measured() throws -> MachineRates {
    .medians(
      of: try (1...rounds).map {
        if rounds > 1 { console.say("round \($0) of \(rounds)") }
        return try measuredOnce()
      })
  }

  private func measuredOnce() throws -> MachineRates {
    var rates = MachineRates(
      measured: Timestamp(seconds: Int64(Machine.unixSeconds)).description, host: Machine.hostName,
      processor: Machine.processorName, kernels: Compute.kernelSet, cpus: ThreadTeam.availableCPUs)
    rates.memoryBytes = Machine.totalMemory
    rates.residentBytes = Machine.residentMemory
    for count in Set([1, threads]).sorted() { try measure(&rates, threads: count) }
    // The rates of as many ranks of one thread each, all of them busy.
    if threads > 1 {
      try measureProducts(&rates, threads: 1, copies: threads)
      rates.memory += rates.memory.filter { $0.threads == threads }.map { all in
        var one = all
        (one.threads, one.copies) = (1, threads)
        one.bytesPerSecond /= Double(threads)
        return one
      }
      console.update("links between ranks")
      let repetitions = repetitions
      rates.links = try ThreadRanks.run(2) { try LinkRates.measure($0, repetitions: repetitions) }[0]
    }
    return rates
  }

  private func measure(_ rates: inout MachineRates, threads count: Int) throws {
    let compute = Compute(threads: count)
    console.update("peak of \(count) of \(threads) threads")
    rates.peaks.append(
      .init(
        type: "fp32", unit: "fused multiply-add", threads: count,
        flopsPerSecond: median { compute.measuredMultiplyAddRate(seconds: seconds) }))
    try measureProducts(&rates, threads: count, copies: 1)
    for (level, bytes) in CacheSizes.workingSets(threads: count, isQuick: isQuick) {
      for operation in Compute.MemoryOperation.allCases {
        console.update("memory with \(count) of \(threads) threads: \(level)")
        rates.memory.append(
          .init(
            operation: operation.rawValue, level: level, workingSetBytes: bytes, threads: count,
            bytesPerSecond: median { compute.measuredMemoryRate(operation, workingSet: bytes, seconds: seconds) }))
      }
    }
    let call = median { BenchMachine.secondsEach(seconds / 5) { compute.team.run { _ in } } }
    rates.calls = (rates.calls ?? []) + [.init(threads: count, seconds: call)]
    let (x, y) = (compute.tensor([count << 15]), compute.tensor([count << 15]))
    SyntheticFields.fillUniform(x.floats, seed: 1, bound: 2)
    let gelu = median { BenchMachine.secondsEach(seconds / 5) { compute.gelu(x, into: y) } }
    rates.gelus = (rates.gelus ?? []) + [.init(threads: count, numbersPerSecond: Double(x.count) / gelu)]
    for columns in [64, 1_024] {
      let (scale, shift) = (compute.tensor([columns]), compute.tensor([columns]))
      let statistics = compute.rowStatistics(x.count / columns)
      for vector in [scale, shift] { vector.fill() }
      let norm = median {
        BenchMachine.secondsEach(seconds / 5) {
          compute.layerNorm(x, scale: scale, shift: shift, epsilon: 1e-5, into: y, statistics)
        }
      }
      rates.norms =
        (rates.norms ?? []) + [.init(threads: count, columns: columns, numbersPerSecond: Double(x.count) / norm)]
    }
  }

  /// In FP32, and in bf16 where there are units for it.
  private func measureProducts(_ rates: inout MachineRates, threads count: Int, copies: Int) throws {
    for precision in [Precision.fp32, .bf16] {
      let choice = try precision.products()
      if choice.warning != nil { continue }
      let computes = (0..<copies).map { _ in Compute(threads: count, backend: choice.backend) }
      for size in ProductSize.all(isQuick: isQuick) + ProductSize.grid(isQuick: isQuick) {
        console.update("\(precision.rawValue) products, \(copies) at once with \(count) of \(threads) threads")
        rates.products.append(
          .init(
            type: precision.rawValue, m: size.m, n: size.n, k: size.k, operands: size.operands, threads: count,
            copies: copies > 1 ? copies : nil, flopsPerSecond: rate(of: size, computes)))
      }
    }
  }

  /// Seconds of one run of `body`, run for at least so long.
  private static func secondsEach(_ seconds: Double, _ body: () -> Void) -> Double {
    let start = monotonicSeconds()
    var (count, taken) = (0, 0.0)
    while taken < seconds {
      body()
      count += 1
      taken = monotonicSeconds() - start
    }
    return taken / Double(count)
  }

  /// The rate of one of several threads that compute the same at once. Operands change from GEMM to GEMM, as in a training, so that the
  /// larger ones come from memory.
  private func rate(of size: ProductSize, _ computes: [Compute]) -> Double {
    let (m, n, k) = (size.m, size.n, size.k)
    func random(_ rows: Int, _ columns: Int) -> Matrix {
      let tensor = Tensor(zeros: [rows, columns])
      SyntheticFields.fillUniform(tensor.floats, seed: UInt32(rows), bound: 1)
      return tensor.matrix
    }
    let bytes = (m * k + k * n + m * n) * MemoryLayout<Float>.size
    let sets = max(2, min(64, ((isQuick ? 8 : 64) << 20) / bytes))
    let operands = computes.map { _ in
      (0..<sets).map { _ in
        (
          a: size.operands.hasPrefix("t") ? random(k, m).transposed : random(m, k).plain,
          b: size.operands.hasSuffix("t") ? random(n, k).transposed : random(k, n).plain,
          c: Tensor(zeros: [m, n]).matrix
        )
      }
    }
    let each = Tensor(zeros: [computes.count])
    let team = ThreadTeam(count: computes.count)
    func measure(_ seconds: Double) {
      team.run { member in
        var next = 0
        each.floats[member] = Float(
          BenchMachine.secondsEach(seconds) {
            let own = operands[member][next]
            computes[member].multiply(own.a, own.b, into: own.c)
            next = (next + 1) % sets
          })
      }
    }
    measure(0)
    return median {
      measure(seconds)
      return Double(2 * m * n * k) * Double(computes.count) / each.values.reduce(0) { $0 + Double($1) }
    }
  }

  // MARK: For people

  static func tables(_ rates: MachineRates) -> String {
    var parts = ["\(rates.processor), \(rates.cpus) CPUs, \(rates.kernels) kernels, host \(rates.host)"]
    parts.append(
      InspectWorkflow.table(
        [["peak", "type", "threads", "GFLOP/s"]]
          + rates.peaks.map { [$0.unit, $0.type, "\($0.threads)", fixed($0.flopsPerSecond * 1e-9, 1)] }))
    parts.append(
      InspectWorkflow.table(
        [["product", "type", "m", "n", "k", "threads", "at once", "GFLOP/s", "% of peak"]]
          + rates.products.filter { !ProductSize.isOfGrid($0) }.map { product in
            let peak = rates.multiplyAddPeak(type: product.type, threads: product.threads)
            return [
              product.operands, product.type, "\(product.m)", "\(product.n)", "\(product.k)", "\(product.threads)",
              "\(product.copies ?? 1)", fixed(product.flopsPerSecond * 1e-9, 1),
              peak.map { fixed(100 * product.flopsPerSecond / $0, 0) } ?? "–",
            ]
          }))
    parts.append(
      InspectWorkflow.table(
        [["memory", "in", "KiB per thread", "threads", "GB/s"]]
          + rates.memory.filter { $0.copies == nil }.map {
            [
              $0.operation, $0.level, "\($0.workingSetBytes >> 10)", "\($0.threads)",
              fixed($0.bytesPerSecond * 1e-9, 1),
            ]
          }))
    if !rates.links.isEmpty {
      parts.append(
        InspectWorkflow.table(
          [["link", "carried by", "latency µs", "GB/s"]]
            + rates.links.map {
              [
                $0.isOnSameHost ? "same host" : "other host", $0.carrier, fixed($0.latencySeconds * 1e6, 2),
                fixed($0.bytesPerSecond * 1e-9, 2),
              ]
            }))
    }
    if let load = rates.otherLoad, load > OtherLoad.most {
      parts.append(
        "warning: others kept \(fixed(load, 1)) of \(rates.cpus) CPUs busy meanwhile, so that rates are lower than the machine's: "
          + "measure again when it is idle")
    }
    return parts.joined(separator: "\n\n")
  }
}

/// The load of other processes on this process's processors, from its creation on.
struct OtherLoad {
  /// The load, in processors, that measurements tolerate.
  static let most = 0.2

  private let mask = ThreadTeam.availableCPUMask
  private let start = monotonicSeconds()
  private let own = Machine.processorSeconds
  private let busy: Double?

  init() { busy = Machine.busySeconds(mask: mask) }

  /// How many they kept busy, on the mean; nil when unknown.
  var processors: Double? {
    guard let busy, let now = Machine.busySeconds(mask: mask) else { return nil }
    let seconds = monotonicSeconds() - start
    return max(0, (now - busy - (Machine.processorSeconds - own)) / max(seconds, 1e-3))
  }
}

extension MachineRates {
  /// The rates in a file, if it exists and was measured on this processor with these kernels.
  static func stored(_ path: String) throws -> MachineRates? {
    guard Files.exists(path) else { return nil }
    let rates = try MachineRates(file: path)
    return rates.processor == Machine.processorName && rates.kernels == Compute.kernelSet ? rates : nil
  }
}
