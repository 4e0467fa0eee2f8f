import Basics
import Execution
import Geometry
import Models
import Stores
import Tensors

/// The model of a checkpoint of Anemoi with its weights and normalisers.
public struct AnemoiModel {
  public let model: GraphModel
  public let parameters: ParameterStore
  /// Columns of the dataset's variables that the model reads, and that it predicts.
  public let inputs, outputs: [Int]
  /// The normalisation of all variables of the dataset: normalised = value·factor + addend, and back.
  private let factor, addend, backFactor, backAddend: [Float]

  /// - Throws: for everything in the configuration that is not computed here, and for weights that don't fit.
  public init(_ checkpoint: AnemoiCheckpoint) throws {
    let reader = AnemoiModelReader(checkpoint)
    let description = try reader.description()
    guard description.noise == nil else {
      throw JigsawError(
        checkpoint.path, "is of an ensemble, whose predictions depend on numbers drawn at random",
        expected: "a model without noise_injector")
    }
    model = GraphModel(description, try ModelGraph(checkpoint.graph))
    parameters = ParameterStore(model.parameters)
    (inputs, outputs) = try reader.datasetColumns()
    (factor, addend) = try (reader.normalizer("pre", "mul"), reader.normalizer("pre", "add"))
    (backFactor, backAddend) = try (reader.normalizer("post", "mul"), reader.normalizer("post", "add"))
    try reader.load(parameters)
  }

  /// Columns of the dataset that a model predicts, of those that its loss knows: variables may be targets alone.
  ///
  /// - Parameters:
  ///   - columns: `data.output.full`.
  ///   - names: `model.output.name_to_index`.
  public static func predicted(_ columns: [Int], of variables: [String], names: JSONValue) -> [Int] {
    columns.filter { names[variables[$0]] != nil }
  }

  /// The states after the last ones, in physical units.
  ///
  /// - Parameter states: [times, points, input variables], oldest first.
  /// - Returns: [times, points, output variables].
  public func predict(_ states: [Float], _ compute: Compute) throws -> [Float] {
    let (points, steps, v) = (model.graph.dataNodes, model.description.inputSteps, inputs.count)
    precondition(states.count == steps * points * v)
    let x = compute.tensor([points, 1, steps * v])
    x.updateOnHost { x in
      for step in 0..<steps {
        for point in 0..<points {
          for column in 0..<v {
            // Two roundings, as in the original.
            let scaled = states[(step * points + point) * v + column] * factor[inputs[column]]
            x[(point * steps + step) * v + column] = scaled + addend[inputs[column]]
          }
        }
      }
    }
    let y = try model.step(Value(x), LocalOperations(compute: compute, parameters: parameters)).tensor
    let (ahead, w) = (model.description.outputSteps, outputs.count)
    var states = [Float](repeating: 0, count: y.count)
    y.readOnHost { y in
      for step in 0..<ahead {
        for point in 0..<points {
          for column in 0..<w {
            let value = y[(point * ahead + step) * w + column]
            states[(step * points + point) * w + column] =
              (value - backAddend[outputs[column]]) / backFactor[outputs[column]]
          }
        }
      }
    }
    return states
  }
}
