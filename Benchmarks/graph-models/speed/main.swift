import Basics
import CKernels
import Execution
import Models
import Tensors
import Training

#if canImport(Glibc)
  import Glibc
#endif

// Times training steps of a graph model: forward, loss, backward, AdamW. Prints one line of JSON.
//   graph-speed [--family graph-transformer|gnn|transformer] [--threads N] [--steps N] [--checkpoint]
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

struct Options {
  var family = "graph-transformer"
  var threads = 1
  var steps = 6
  var checkpoints = false

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

let options = try Options(Array(CommandLine.arguments.dropFirst()))
let description = try options.description()
let (data, hidden) = (spiral(2_048), spiral(642))
let graph = ModelGraph(
  dataCoordinates: data, hiddenCoordinates: hidden, dataToHidden: nearest(4, from: data, to: hidden),
  hiddenToHidden: nearest(8, from: hidden, to: hidden), hiddenToData: nearest(3, from: hidden, to: data))
let model = GraphModel(description, graph)
let store = ParameterStore(model.parameters)
store.initialize(seed: 1)
let compute = Compute(threads: options.threads)
let operations = LocalOperations(compute: compute, parameters: store)
operations.checkpointsActivations = options.checkpoints
let (moment1, moment2) = (store.makePiece(), store.makePiece())
func numbers(_ columns: Int, _ name: String) -> Tensor {
  let tensor = Tensor(zeros: [2_048, 1, columns])
  RandomStream(seed: 1, name: name).fillNormal(tensor.pointer, deviation: 1, row: 0, columns: 0..<tensor.count)
  return tensor
}
let (state, target) = (numbers(156, "x"), numbers(78, "y"))
let weights = Tensor([Float](repeating: 1 / 2_048, count: 2_048 * 78), shape: [2_048, 1, 78])
let loss = PointwiseLoss(.squared, variables: 78)

var (seconds, losses): ([Double], [Double]) = ([], [])
for step in 0..<options.steps {
  let start = monotonicSeconds()
  let tape = Tape()
  operations.tape = tape
  let y = try model.step(Value(state), operations)
  operations.tape = nil
  let gradient = compute.tensor(y.shape.dimensions)
  losses.append(loss(y.tensor, target: target, weights: weights, gradient: gradient, compute))
  y.gradient = gradient
  try tape.backward()
  let coefficients = jk_adam(
    learning_rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8,
    bias_correction1: Float(1 - pow(0.9, Double(step + 1))), bias_correction2: Float(1 - pow(0.95, Double(step + 1))),
    coupled_decay: 0, decoupled_decay: 0.01, gradient_scale: 1, average_decay: 0)
  compute.adam(
    coefficients, parameter: store.values, gradient: store.gradients, moment1: moment1, moment2: moment2, average: nil)
  seconds.append(monotonicSeconds() - start)
}
let counting = CountingOperations(model.parameters)
_ = try model.step(
  Value(shape: ValueShape(rows: 2_048, batch: 1, columns: 156), data: nil, requiresGradient: false), counting)
let report: [String: JSONValue] = [
  "family": .string(options.family), "threads": .integer(options.threads),
  "checkpoints_activations": .bool(options.checkpoints), "parameters": .integer(model.parameters.elementCount),
  "kernels": .string(Compute.kernelSet), "products": .string(compute.backend.name),
  "forward_product_flop": .integer(counting.productFLOPs),
  "core_flop_per_second": .number(Compute.measuredMultiplyAddRate(seconds: 0.2)),
  "step_seconds": .array(seconds.map { .number($0) }), "fastest_step_seconds": .number(seconds.dropFirst().min() ?? 0),
  "peak_bytes": .integer(Machine.peakResidentMemory), "pool_peak_bytes": .integer(compute.pool.counters.peakBytesInUse),
  "losses": .array(losses.map { .number($0) }),
]
print(try JSONValue.object(report).text(pretty: false))
