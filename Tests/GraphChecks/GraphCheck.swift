import Basics
import Distribution
import Execution
import Models
import RankChecks
import Stores
import Tensors
import Training
import Workflow

#if canImport(Glibc)
  import Glibc
#endif

/// Runs a golden case of anemoi-models and reports how far everything is from what the original computed. On several ranks
/// all call it together; every replica computes the whole batch, and gradients are averaged.
public final class GraphCheck {
  let files: CaseFiles
  let model: GraphModel
  let rank: ModelRank
  let blocks: RankBlocks
  let reduction: GradientReduction
  let batch, members, times: Int
  var store: ParameterStore { rank.parameters }
  var operations: any Operations { rank.operations }
  var compute: Compute { rank.compute }
  var report = CheckReport()

  public init(
    _ folder: String, threads: Int = ThreadTeam.availableCPUs, checkpointsActivations: Bool = false,
    parts: ComputationParts = ComputationParts(), _ context: RankContext? = nil
  ) throws {
    files = try CaseFiles(folder)
    try files.checkProcessors()
    let model = GraphModel(try files.modelDescription(), try files.modelGraph(), parts)
    let (batch, members) = (try files.integer("sample", "batch"), try files.integer("sample", "members"))
    self.model = model
    self.batch = batch
    self.members = members
    times = try files.integer("sample", "times")
    rank = try ModelRank(
      context ?? RankContext.single(), Compute(threads: threads), model.parameters
    ) { try GraphCheck.dryStep(model, samples: batch * members, $0) }
    rank.checkpointsActivations = checkpointsActivations
    blocks = RankBlocks(rank)
    reduction = GradientReduction(rank)
    try loadWeights()
  }

  /// One step without data.
  static func dryStep(_ model: GraphModel, samples: Int, _ operations: any Operations) throws {
    let (d, graph) = (model.description, model.graph)
    func dry(_ rows: Int, _ columns: Int, groups: Int = 1, requiresGradient: Bool) -> Value {
      Value(
        shape: ValueShape(rows: rows, batch: samples, columns: columns), groups: groups, data: nil,
        requiresGradient: requiresGradient)
    }
    _ = try model.step(
      dry(graph.dataNodes, d.inputSteps * d.variables.inputs, groups: d.inputSteps, requiresGradient: true),
      noise: d.noise.map { dry(graph.hiddenNodes, $0.channels, requiresGradient: false) }, operations)
  }

  /// All checks, as JSON.
  public func run() throws -> JSONValue {
    report.add("case", .string(try files.setting("case").string ?? files.folder))
    try checkInput()
    try checkStep()
    // Cases without a second target or without losses have no such parts; the report says so.
    if files.values.entries["rollout2/loss"] != nil, times >= steps.input + 2 * steps.output {
      try checkRollout()
    } else {
      report.add("rollout2", .string("not in the case"))
    }
    if Files.exists("\(files.folder)/losses.json") {
      try checkTraining()
    } else {
      report.add("losses", .string("not in the case"))
    }
    return report.json
  }

  // MARK: Weights

  /// Every parameter from the file; the file may hold nothing else of the model that has a part in its computation.
  func loadWeights() throws {
    for (index, spec) in model.parameters.specs.enumerated() {
      let whole = Tensor(zeros: spec.shape)
      try files.weights.read(files.names.stored(spec.name), shape: spec.shape, into: whole.floats)
      blocks.set(ParameterID(index: index), from: whole)
    }
    let known = Set(model.parameters.specs.map { files.names.stored($0.name) })
    let others = files.weights.entries.keys.filter {
      $0.hasPrefix("model.") && !known.contains($0) && !model.description.ignores(tensor: files.names.own($0))
    }
    guard others.isEmpty else {
      throw JigsawError(
        files.weights.path, "has parameters that the model does not have",
        found: others.sorted().prefix(3).joined(separator: ", "))
    }
  }

  /// Changes the model, to see that checks notice.
  public func scaleParameter(_ name: String, by factor: Float) {
    for (spec, tensor) in store.named(in: store.values) where spec.name == name {
      compute.scale(tensor, by: factor, into: tensor)
    }
  }

  // MARK: Layouts

  /// From [batch, time, member, point, variable] to [point, batch·members, times·variables], some times and variables of it.
  func pack(_ x: CaseArray, times: Range<Int>, variables: [Int], members: Int) -> Tensor {
    let points = x.shape[3]
    let y = compute.tensor([points, batch * members, times.count * variables.count])
    let sharesMember = x.shape[2] == 1
    var at = 0
    for point in 0..<points {
      for sample in 0..<batch {
        for member in 0..<members {
          for time in times {
            let start = x.offset(sample, time, sharesMember ? 0 : member, point)
            for variable in variables {
              y.pointer[at] = x.values[start + variable]
              at += 1
            }
          }
        }
      }
    }
    return y
  }

  /// Back to [batch, time, member, point, variable].
  func unpack(_ y: Tensor, steps: Int) -> [Float] {
    let (points, samples) = (y.shape[0], y.shape[1])
    let variables = y.shape[2] / steps
    var values = [Float](repeating: 0, count: y.count)
    var at = 0
    for sample in 0..<batch {
      for time in 0..<steps {
        for member in 0..<samples / batch {
          for point in 0..<points {
            let start = (point * samples + sample * (samples / batch) + member) * y.shape[2] + time * variables
            for variable in 0..<variables {
              values[at] = y.pointer[start + variable]
              at += 1
            }
          }
        }
      }
    }
    return values
  }

  /// Rows (sample, member, node) as in the original, of a value [nodes, samples·members, columns].
  func rows(_ value: Value) throws -> [Float] {
    let (shape, whole) = (value.shape, try blocks.whole(value))
    var values = [Float]()
    values.reserveCapacity(shape.count)
    for sample in 0..<shape.batch {
      for row in 0..<shape.rows {
        let start = whole.pointer + (row * shape.batch + sample) * shape.columns
        values += UnsafeBufferPointer(start: start, count: shape.columns)
      }
    }
    return values
  }

  func array(_ name: String) throws -> CaseArray { try CaseArray(files.values, name) }

  var steps: (input: Int, output: Int) { (model.description.inputSteps, model.description.outputSteps) }

  // MARK: Input

  /// Normalised data as the original has them.
  lazy var normalized: Result<CaseArray, any Error> = Result {
    var array = try self.array("batch_raw")
    let (factor, addend) = (try normalizer("mul"), try normalizer("add"))
    for i in array.values.indices {
      // Two operations, as the original rounds twice.
      let scaled = array.values[i] * factor[i % factor.count]
      array.values[i] = scaled + addend[i % addend.count]
    }
    return array
  }

  private func normalizer(_ part: String) throws -> [Float] {
    try files.weights.floats(files.names.stored("pre_processors.data.processors.normalizer._norm_\(part)"))
  }

  func input() throws -> Value {
    let columns = try files.indices("data", "input", "full")
    let x = pack(try normalized.get(), times: 0..<steps.input, variables: columns, members: members)
    return blocks.value(x, groups: steps.input, requiresGradient: true)
  }

  func target(rolloutStep: Int) throws -> Tensor {
    let start = steps.input + rolloutStep * steps.output
    let whole = pack(
      try normalized.get(), times: start..<start + steps.output,
      variables: try files.predictedColumns(), members: 1)
    return blocks.block(whole, groups: steps.output)
  }

  func noise() throws -> Value? {
    guard let noise = model.description.noise else { return nil }
    // [batch, member, node, channel]
    let (values, shape) = (try files.values.floats("noise"), try files.values.shape("noise"))
    let (nodes, channels) = (shape[2], shape[3])
    let tensor = compute.tensor([nodes, batch * members, channels])
    for sample in 0..<batch * members {
      for node in 0..<nodes {
        for channel in 0..<channels {
          tensor.pointer[(node * batch * members + sample) * channels + channel] =
            values[(sample * nodes + node) * channels + channel] * noise.deviation
        }
      }
    }
    return blocks.value(tensor)
  }

  private func checkInput() throws {
    report.compare("batch_normalised", try normalized.get().values, try array("batch_normalised").values)
    report.compare("x", unpack(try blocks.whole(try input()), steps: steps.input), try array("x").values)
    report.compare(
      "latlons_data", model.graph.dataCoordinates.values,
      try files.weights.floats(files.names.stored("model.node_attributes.latlons_data")))
    report.compare(
      "latlons_hidden", model.graph.hiddenCoordinates.values,
      try files.weights.floats(files.names.stored("model.node_attributes.latlons_hidden")))
  }
}

/// An array [batch, time, member, point, variable] of a case.
struct CaseArray {
  let shape: [Int]
  var values: [Float]

  init(_ file: Safetensors.File, _ name: String) throws {
    shape = try file.shape(name)
    values = try file.floats(name)
    guard shape.count == 5 else {
      throw JigsawError("\(file.path): \(name)", "should have five dimensions", found: "\(shape)")
    }
  }

  func offset(_ sample: Int, _ time: Int, _ member: Int, _ point: Int) -> Int {
    (((sample * shape[1] + time) * shape[2] + member) * shape[3] + point) * shape[4]
  }
}
