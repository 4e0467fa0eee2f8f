import Basics
import Execution
import FoundationEssentials
import Models

/// The results of `jigsaw bench step`: times are medians over the measured steps, those of the slowest rank in each phase.
public struct BenchStepReport: Codable, Sendable {
  public struct Phase: Codable, Sendable {
    public var name: String
    public var seconds: Double
    /// Seconds of these in matrix products, with the packing of their operands, and waiting for other ranks.
    public var productSeconds = 0.0
    public var waitSeconds = 0.0
    /// Operations of matrix products, as the equations have them, on all ranks together.
    public var flops = 0
    /// Read and written if every operation touches each of its operands once (docs/benchmarks.md).
    public var bytes = 0

    /// In everything else: vector kernels, copies, Swift.
    public var otherSeconds: Double { max(0, seconds - productSeconds - waitSeconds) }
  }

  public struct Model: Codable, Sendable {
    public var family: String
    /// The family's settings, as text.
    public var settings: [String: String]
    public var grid: [Int]
    public var variables, auxiliaries, tokens, parameters: Int
    /// For people: `FAMILY on 32 × 64, 20 fields and 8 more, patch [2, 4], …`.
    public var text: String

    init(_ model: any ForecastModel, _ description: ModelDescription) {
      let (settings, fields) = (description.settings, description.fields)
      family = settings.family
      self.settings = Dictionary(uniqueKeysWithValues: settings.entries.map { ($0.key, $0.value) })
      grid = [fields.gridRows, fields.gridColumns]
      (variables, auxiliaries, tokens) = (fields.variables, fields.auxiliaries, model.form.tokens)
      parameters = model.parameters.elementCount
      text =
        "\(settings.title) on \(grid[0]) × \(grid[1]), \(variables) fields and \(auxiliaries) more, "
        + "\(settings.text), \(tokens) tokens: \(fixed(Double(parameters) * 1e-6, 2)) M parameters"
    }
  }

  public var format = "jigsaw-step-1"
  /// "training" or "forecast".
  public var kind: String
  public var version, host, processor, kernels, products: String
  public var ranks: Int
  /// The threads of each rank.
  public var threads: Int
  /// Replica × domain × tensor.
  public var mesh: String
  public var model: Model
  public var samplesPerStep: Int
  /// Measured ones.
  public var steps: Int
  public var secondsPerStep: Double
  /// The seconds of each step on the first rank.
  public var ownSeconds: [Double]
  /// Fused multiply-adds of all threads of all ranks.
  public var peakFLOPsPerSecond: Double
  public var phases: [Phase]
  /// Before each update, those that are not measured included; empty for forecasts.
  public var losses: [Double]
  /// Pieces of memory that a rank took from the system; pages that it touched for the first time.
  public var poolAllocationsPerStep, pageFaultsPerStep: Double
  /// The most of any rank: of the process (VmHWM), and of activations and scratch alone.
  public var peakResidentBytes, peakPoolBytes: Int

  public var flopsPerStep: Int { phases.reduce(0) { $0 + $1.flops } }
  public var bytesPerStep: Int { phases.reduce(0) { $0 + $1.bytes } }
  public var flopsPerSecond: Double { Double(flopsPerStep) / secondsPerStep }
  public var shareOfPeak: Double { flopsPerSecond / peakFLOPsPerSecond }

  /// The report as a JSON document, with the sums that follow from the phases.
  public func json() throws -> String {
    guard case .object(var members) = try JSONValue(parsing: Array(try JSONEncoder().encode(self)), place: "report")
    else { preconditionFailure("a report is an object") }
    members["flopsPerStep"] = .integer(flopsPerStep)
    members["bytesPerStep"] = .integer(bytesPerStep)
    members["flopsPerSecond"] = .number(flopsPerSecond)
    members["shareOfPeak"] = .number(shareOfPeak)
    return try JSONValue.object(members).text(pretty: false) + "\n"
  }

  // MARK: For people

  public var table: String {
    func row(_ phase: Phase) -> [String] {
      let (seconds, flops, bytes) = (phase.seconds, Double(phase.flops), Double(phase.bytes))
      func rate(_ amount: Double, _ decimals: Int) -> String {
        amount > 0 && seconds > 0 ? fixed(amount / seconds * 1e-9, decimals) : ""
      }
      func milliseconds(_ value: Double) -> String { value > 0 ? fixed(1e3 * value, 2) : "" }
      return [
        phase.name, fixed(1e3 * seconds, 2), fixed(100 * seconds / secondsPerStep, 1),
        milliseconds(phase.productSeconds),
        milliseconds(phase.waitSeconds), milliseconds(phase.otherSeconds),
        flops > 0 ? fixed(flops * 1e-9, 2) : "", rate(flops, 1),
        flops > 0 && seconds > 0 ? fixed(100 * flops / seconds / peakFLOPsPerSecond, 0) : "",
        bytes > 0 ? fixed(bytes * 1e-6, 1) : "", rate(bytes, 1),
      ]
    }
    var total = Phase(name: "step", seconds: secondsPerStep, flops: flopsPerStep, bytes: bytesPerStep)
    total.productSeconds = phases.reduce(0) { $0 + $1.productSeconds }
    total.waitSeconds = phases.reduce(0) { $0 + $1.waitSeconds }
    var columns = [
      "phase", "ms", "%", "GEMM ms", "waiting ms", "other ms", "GFLOP", "GFLOP/s", "% of peak", "MB",
      "GB/s",
    ]
    var rows = (phases + [total]).map(row)
    // Without anything to show a column only takes room.
    for index in columns.indices.reversed() where rows.allSatisfy({ $0[index].isEmpty }) {
      columns.remove(at: index)
      for row in rows.indices { rows[row].remove(at: index) }
    }
    return """
      \(kind) of \(model.text), \(counted(samplesPerStep, "sample")) per step
      \(processor), \(counted(ranks, "rank")) (\(mesh)) of \(counted(threads, "thread")), \
      \(kernels) kernels, \(products)

      \(InspectWorkflow.table([columns] + rows))

      \(fixed(1e3 * secondsPerStep, 2)) ms per step (median of \(steps)), \
      \(significant(Double(samplesPerStep) / secondsPerStep, 3)) samples/s, \(significant(flopsPerSecond * 1e-12, 3)) \
      TFLOP/s, \(fixed(100 * shareOfPeak, 1)) % of \(significant(peakFLOPsPerSecond * 1e-12, 3)) TFLOP/s
      memory: \(fixed(Double(peakResidentBytes) * 1e-9, 3)) GB at most\(ranks == 1 ? "" : " on any rank"), of it \
      \(fixed(Double(peakPoolBytes) * 1e-9, 3)) GB activations and scratch; each step took \
      \(significant(poolAllocationsPerStep, 2)) pieces and \(significant(pageFaultsPerStep, 2)) pages from the system
      """
  }
}
