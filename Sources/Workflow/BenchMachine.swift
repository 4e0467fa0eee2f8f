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
    var rates: MachineRates?
    if world.size > 1 {
      try world.together(onlyOn: 0) {
        guard Files.exists(path) else {
          throw JigsawError(
            path, "is not there yet", remedy: "measure the machine with 'jigsaw bench machine' on one rank first")
        }
        rates = try MachineRates(file: path)
      }
      let links = try LinkRates.measure(world, repetitions: repetitions)
      rates?.links = links
    } else {
      rates = measured()
    }
    var text = ""
    try world.together(onlyOn: 0) {
      guard let rates else { return }
      try rates.write(to: path)
      text = BenchMachine.tables(rates) + "\n\nsaved \(path)"
    }
    return text
  }

  private var repetitions: Int { isQuick ? 3 : 9 }
  private var seconds: Double { isQuick ? 0.01 : 0.05 }

  private func median(_ body: () -> Double) -> Double { Basics.median((0..<repetitions).map { _ in body() }) }

  private func measured() -> MachineRates {
    var rates = MachineRates(
      measured: Timestamp(seconds: Int64(Machine.unixSeconds)).description, host: Machine.hostName,
      processor: Machine.processorName, kernels: Compute.kernelSet, cpus: ThreadTeam.availableCPUs)
    for count in Set([1, threads]).sorted() {
      let compute = Compute(threads: count)
      console.update("peak of \(count) of \(threads) threads")
      rates.peaks.append(
        .init(
          type: "fp32", unit: "fused multiply-add", threads: count,
          flopsPerSecond: median { compute.measuredMultiplyAddRate(seconds: seconds) }))
      for size in ProductSize.all(isQuick: isQuick) {
        console.update("products with \(count) of \(threads) threads")
        rates.products.append(
          .init(
            type: "fp32", m: size.m, n: size.n, k: size.k, operands: size.operands, threads: count,
            flopsPerSecond: rate(of: size, compute)))
      }
      for (level, bytes) in CacheSizes.workingSets(threads: count, isQuick: isQuick) {
        for operation in Compute.MemoryOperation.allCases {
          console.update("memory with \(count) of \(threads) threads: \(level)")
          rates.memory.append(
            .init(
              operation: operation.rawValue, level: level, workingSetBytes: bytes, threads: count,
              bytesPerSecond: median {
                compute.measuredMemoryRate(operation, workingSet: bytes, seconds: seconds)
              }))
        }
      }
    }
    return rates
  }

  private func rate(of size: ProductSize, _ compute: Compute) -> Double {
    let (m, n, k) = (size.m, size.n, size.k)
    func random(_ rows: Int, _ columns: Int) -> Matrix {
      let tensor = Tensor(zeros: [rows, columns])
      SyntheticFields.fillUniform(tensor.floats, seed: UInt32(rows), bound: 1)
      return tensor.matrix
    }
    let a = size.operands.hasPrefix("t") ? random(k, m).transposed : random(m, k).plain
    let b = size.operands.hasSuffix("t") ? random(n, k).transposed : random(k, n).plain
    let c = Tensor(zeros: [m, n]).matrix
    compute.multiply(a, b, into: c)
    return median {
      let start = monotonicSeconds()
      var (count, taken) = (0, 0.0)
      while taken < seconds {
        compute.multiply(a, b, into: c)
        count += 1
        taken = monotonicSeconds() - start
      }
      return Double(2 * m * n * k * count) / taken
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
        [["product", "type", "m", "n", "k", "threads", "GFLOP/s", "% of peak"]]
          + rates.products.map { product in
            let peak = rates.multiplyAddPeak(type: product.type, threads: product.threads)
            return [
              product.operands, product.type, "\(product.m)", "\(product.n)", "\(product.k)", "\(product.threads)",
              fixed(product.flopsPerSecond * 1e-9, 1), peak.map { fixed(100 * product.flopsPerSecond / $0, 0) } ?? "–",
            ]
          }))
    parts.append(
      InspectWorkflow.table(
        [["memory", "in", "KiB per thread", "threads", "GB/s"]]
          + rates.memory.map {
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
    return parts.joined(separator: "\n\n")
  }
}

/// Products of the layers of WeatherMixer: C [m, n] = A·B with sums over k.
private struct ProductSize {
  let m, n, k: Int
  /// As in `MachineRates.Product`.
  let operands: String

  /// Forward, gradient of the input, gradient of the weight, of token mixing (W·X) and channel mixing (X·Wᵀ), at the sizes
  /// of docs/benchmarks.md; and square ones.
  static func all(isQuick: Bool) -> [ProductSize] {
    let (tokens, channels, tokenWidth, channelWidth) = isQuick ? (256, 256, 128, 512) : (2_048, 1_024, 512, 1_024)
    let layers = [
      ProductSize(m: tokenWidth, n: channels, k: tokens, operands: "nn"),
      ProductSize(m: tokens, n: channels, k: tokenWidth, operands: "tn"),
      ProductSize(m: tokenWidth, n: tokens, k: channels, operands: "nt"),
      ProductSize(m: tokens, n: channelWidth, k: channels, operands: "nt"),
      ProductSize(m: tokens, n: channels, k: channelWidth, operands: "nn"),
      ProductSize(m: channelWidth, n: channels, k: tokens, operands: "tn"),
    ]
    return layers
      + (isQuick ? [256] : [256, 512, 1_024, 2_048]).map { ProductSize(m: $0, n: $0, k: $0, operands: "nn") }
  }
}

/// Working sets that lie well within each level of the memory.
private enum CacheSizes {
  /// Bytes per thread. The third level is taken to be shared.
  static func workingSets(threads: Int, isQuick: Bool) -> [(level: String, bytes: Int)] {
    let first = Machine.cacheSize(level: 1) ?? 32 << 10
    let second = Machine.cacheSize(level: 2) ?? 512 << 10
    let third = Machine.cacheSize(level: 3) ?? 16 << 20
    let memory = isQuick ? 64 << 20 : min(max(4 * third, 256 << 20), 1 << 30)
    return [
      ("L1", first / 2), ("L2", second / 2), ("L3", max(second, third / 2 / threads)), ("memory", memory / threads),
    ]
  }
}

extension MachineRates {
  /// What a file says, if it is there and was measured on this processor with these kernels.
  static func stored(_ path: String) throws -> MachineRates? {
    guard Files.exists(path) else { return nil }
    let rates = try MachineRates(file: path)
    return rates.processor == Machine.processorName && rates.kernels == Compute.kernelSet ? rates : nil
  }
}
