import Basics
import CKernels
import Communication
import Distribution
import Execution
import Models
import RankChecks
import Tensors
import Training
import Workflow

#if canImport(Glibc)
  import Glibc
#endif

// Times training steps of a graph model: forward, loss, backward, AdamW. Prints one line of JSON.
//   graph-speed [--family graph-transformer|gnn|transformer] [--threads N] [--steps N] [--checkpoint] [--domain P] [--tensor Q]
//   graph-speed --large [--forward] [--chunks N] [--layer-groups N] [--channels C] [--precision P] [--compare N]… [--threads N] [--steps N | --plan]
// Ranks are threads, or the processes of mpirun; threads are those of each rank.
// 2 048 data nodes, 78 variables, 642 hidden nodes, 256 channels, 16 layers, 16 heads, batch 1: 15.7 million parameters.

/// Nodes on a spiral from pole to pole, about evenly spread, as latitude and longitude.
func spiral(_ count: Int) -> [Float] {
  (0..<count).flatMap { index -> [Float] in
    let height = 1 - (2 * Double(index) + 1) / Double(count)
    return [Float(asin(height)), Float((Double(index) * 2.399963).truncatingRemainder(dividingBy: 2 * .pi))]
  }
}

/// Edges from the nearest sources of each destination, which sizes alone matter of.
func nearest(_ neighbours: Int, from sources: [Float], to destinations: [Float]) -> ModelGraph.Edges {
  func position(_ nodes: [Float], _ i: Int) -> (Float, Float, Float) {
    let (latitude, longitude) = (nodes[2 * i], nodes[2 * i + 1])
    return (cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude))
  }
  let places = (0..<sources.count / 2).map { position(sources, $0) }
  let chosen = (0..<destinations.count / 2).flatMap { i -> [Int32] in
    let own = position(destinations, i)
    let cosines = places.map { $0.0 * own.0 + $0.1 * own.1 + $0.2 * own.2 }
    return cosines.indices.sorted { cosines[$0] > cosines[$1] }.prefix(neighbours).map { Int32($0) }
  }
  let starts = (0...destinations.count / 2).map { Int32($0 * neighbours) }
  let attributes = chosen.indices.flatMap { edge -> [Float] in [sin(Float(edge)), cos(Float(edge)), 0.5] }
  return ModelGraph.Edges(
    EdgeLists(destinationStarts: starts, sources: chosen, sourceCount: places.count), attributes: attributes,
    attributeCount: 3)
}

struct Options: Sendable {
  var family = "graph-transformer"
  var threads = 1
  var steps = 6
  var checkpoints = false
  var (domain, tensor) = (1, 1)
  /// Settings of a step of AIFS single's sizes.
  var (isLarge, isForward, isPlan) = (false, false, false)
  var parts = ComputationParts(mapper: 16, processor: 4)
  var channels = 1_024
  var precision = Precision.fp32
  /// Numbers of chunks whose results are compared.
  var others: [Int] = []

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    func number() throws -> Int {
      guard let value = rest.popFirst().flatMap(Int.init), value > 0 else {
        throw JigsawError("graph-speed", "needs whole numbers above zero")
      }
      return value
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "--family": family = rest.popFirst() ?? ""
      case "--threads": threads = try number()
      case "--steps": steps = try number()
      case "--checkpoint": checkpoints = true
      case "--domain": domain = try number()
      case "--tensor": tensor = try number()
      case "--large": isLarge = true
      case "--forward": isForward = true
      case "--plan": isPlan = true
      case "--chunks": parts.mapper = try number()
      case "--layer-groups": parts.processor = try number()
      case "--channels": channels = try number()
      case "--precision":
        guard let known = rest.popFirst().flatMap(Precision.init) else {
          throw JigsawError(
            "--precision", "is none", expected: Precision.allCases.map(\.rawValue).joined(separator: ", "))
        }
        precision = known
      case "--compare": others.append(try number())
      default: throw JigsawError("graph-speed", "does not know \(argument)")
      }
    }
  }

  func description() throws -> GraphModelDescription {
    let c = 256
    var layer = GraphModelDescription.Layer(hiddenWidth: family == "gnn" ? c : 4 * c, attentionChannels: c)
    layer.heads = 16
    let kinds: [String: (GraphModelDescription.MapperKind, GraphModelDescription.ProcessorKind)] = [
      "graph-transformer": (.graphTransformer, .graphTransformer), "gnn": (.edgeNetwork, .edgeNetwork),
      "transformer": (.graphTransformer, .transformer),
    ]
    guard let (mapperKind, processorKind) = kinds[family] else {
      throw JigsawError(
        "graph-speed", "knows no family '\(family)'", expected: kinds.keys.sorted().joined(separator: ", "))
    }
    var mapper = GraphModelDescription.Mapper(mapperKind, layer, channels: c)
    mapper.trainableEdges = 8
    var processor = GraphModelDescription.Processor(processorKind, layer, layers: 16)
    processor.trainableEdges = 8
    processor.reach = processorKind == .transformer ? 64 : nil
    let forecast = Array(0..<78)
    var description = GraphModelDescription(
      .init(
        inputs: 78, outputs: 78, prognosticInputs: forecast, prognosticOutputs: forecast, forcingInputs: []),
      inputSteps: 2, outputSteps: 1, channels: c, encoder: mapper, processor: processor, decoder: mapper)
    description.trainableData = 8
    description.trainableHidden = 8
    return description
  }
}

/// One rank's training steps.
struct Measurement {
  let options: Options
  let model: GraphModel
  let rank: ModelRank
  var (seconds, losses): ([Double], [Double]) = ([], [])
  /// Of the process, each step; all its ranks where they are threads.
  var processorSeconds: [Double] = []

  init(_ options: Options, _ world: any Communicator) throws {
    self.options = options
    let (data, hidden) = (spiral(2_048), spiral(642))
    let graph = ModelGraph(
      dataCoordinates: data, hiddenCoordinates: hidden, dataToHidden: nearest(4, from: data, to: hidden),
      hiddenToHidden: nearest(8, from: hidden, to: hidden), hiddenToData: nearest(3, from: hidden, to: data))
    let model = GraphModel(try options.description(), graph)
    self.model = model
    let context = try RankContext(Mesh(domain: options.domain, tensor: options.tensor), world)
    rank = try ModelRank(context, Compute(threads: options.threads), model.parameters) {
      _ = try model.step(Measurement.dry, $0)
    }
    rank.checkpointsActivations = options.checkpoints
    rank.initialize(seed: 1)
  }

  private static var dry: Value {
    Value(shape: ValueShape(rows: 2_048, batch: 1, columns: 156), groups: 2, data: nil, requiresGradient: false)
  }

  private func numbers(_ columns: Int, _ name: String) -> Tensor {
    let tensor = Tensor(zeros: [2_048, 1, columns])
    RandomStream(seed: 1, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<tensor.count)
    return tensor
  }

  mutating func run() throws {
    let (blocks, store, compute) = (RankBlocks(rank), rank.parameters, rank.compute)
    let (moment1, moment2) = (store.makePiece(), store.makePiece())
    let (state, target) = (blocks.value(numbers(156, "x"), groups: 2), blocks.block(numbers(78, "y")))
    let weights = blocks.block(Tensor([Float](repeating: 1 / 2_048, count: 2_048 * 78), shape: [2_048, 1, 78]))
    let loss = PointwiseLoss(.squared, variables: 78)
    let reduction = GradientReduction(rank)
    for step in 0..<options.steps {
      try rank.context.world.barrier()
      let (start, used) = (monotonicSeconds(), Machine.processorSeconds)
      var share = 0.0
      try rank.trainingPass {
        let tape = Tape()
        rank.operations.tape = tape
        let y = try model.step(state, rank.operations)
        rank.operations.tape = nil
        let gradient = compute.tensor(y.tensor.shape)
        share = loss(y.tensor, target: target, weights: weights, gradient: gradient, compute)
        y.gradient = gradient
        try tape.backward { try reduction.completed($0) }
      }
      try reduction.finish()
      losses.append(try rank.context.world.allReduce([share])[0])
      let (first, second) = (1 - pow(0.9, Double(step + 1)), 1 - pow(0.95, Double(step + 1)))
      compute.adam(
        jk_adam(
          learning_rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, bias_correction1: Float(first),
          bias_correction2: Float(second), coupled_decay: 0, decoupled_decay: 0.01, gradient_scale: 1,
          average_decay: 0),
        parameter: store.values, gradient: store.gradients, moment1: moment1, moment2: moment2, average: nil)
      seconds.append(monotonicSeconds() - start)
      processorSeconds.append(Machine.processorSeconds - used)
    }
  }

  /// Largest numbers of all ranks, and the ratio of the largest to the mean.
  private func ofAllRanks(_ values: [Int]) throws -> [(most: Double, balance: Double)] {
    let world = rank.context.world
    let numbers = values.map(Double.init)
    return zip(try world.allReduce(numbers, .maximum), try world.allReduce(numbers)).map {
      ($0, $1 > 0 ? $0 * Double(world.size) / $1 : 1)
    }
  }

  func report() throws -> JSONValue {
    let counting = CountingOperations(model.parameters)
    _ = try model.step(Measurement.dry, counting)
    let context = rank.context
    let sent = context.domain.traffic.bytesSent + context.tensor.traffic.bytesSent
    let pieces = 4 * rank.parameters.length * ElementType.float32.byteCount
    let pool = rank.compute.pool.counters.peakBytesInUse
    let processor = processorSeconds.dropFirst().sorted()
    let ofProcess = try context.world.allReduce(
      [processor.isEmpty ? 0 : processor[processor.count / 2], Double(Machine.peakResidentMemory)], .maximum)
    let most = try ofAllRanks([
      pool, pieces, pool + pieces, sent / options.steps, (rank.productFLOPs ?? 0) / options.steps,
    ])
    return .object([
      "family": .string(options.family), "threads": .integer(options.threads),
      "mesh": .string("\(options.domain) × \(options.tensor)"), "ranks_are": .string(context.world.name),
      "checkpoints_activations": .bool(options.checkpoints), "parameters": .integer(model.parameters.elementCount),
      "kernels": .string(Compute.kernelSet), "products": .string(rank.compute.backend.name),
      "forward_product_flop": .integer(counting.productFLOPs),
      "core_flop_per_second": .number(Compute.measuredMultiplyAddRate(seconds: 0.2)),
      "step_seconds": .array(seconds.map { .number($0) }),
      "fastest_step_seconds": .number(seconds.dropFirst().min() ?? 0),
      "processor_seconds_per_step_and_process": .number(ofProcess[0]), "peak_bytes": .integer(Int(ofProcess[1])),
      "pool_peak_bytes": .integer(Int(most[0].most)),
      "parameter_bytes": .integer(Int(most[1].most)), "pool_and_parameter_bytes": .integer(Int(most[2].most)),
      "bytes_sent_per_step": .integer(Int(most[3].most)), "product_flop_balance": .number(most[4].balance),
      "losses": .array(losses.map { .number($0) }),
    ])
  }
}

let options = try Options(Array(CommandLine.arguments.dropFirst()))
if options.isLarge {
  print(try LargeStep(options).run().text(pretty: false))
  exit(0)
}
try Ranks.run(asThreads: Ranks.isUnderLauncher ? 1 : options.domain * options.tensor) {
  [options] world in
  var measurement = try Measurement(options, world)
  try measurement.run()
  let report = try measurement.report()
  if world.rank == 0 { print(try report.text(pretty: false)) }
}
