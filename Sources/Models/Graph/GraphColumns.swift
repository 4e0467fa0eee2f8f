import Execution

/// Where a forecast's fields stand among the columns of a graph model.
public struct GraphColumns: Sendable {
  /// Predicted fields that are read.
  let prognostic: [Int]
  /// By column of a state's inputs: a number among the prognostic fields, then static fields and forcings.
  public let inputs: [Int]
  /// By column of the prediction: a predicted field.
  public let outputs: [Int]
  private let inputPlace, outputPlace: [Int]

  init(prognostic: [Int], inputs: [Int], outputs: [Int]) {
    self.prognostic = prognostic
    self.inputs = inputs
    self.outputs = outputs
    inputPlace = inputs.indices.sorted { inputs[$0] < inputs[$1] }
    outputPlace = outputs.indices.sorted { outputs[$0] < outputs[$1] }
  }

  /// The column of a predicted field.
  func output(_ field: Int) -> Int { outputPlace[field] }

  var variables: GraphModelDescription.Variables {
    let pairs = prognostic.indices.map { (input: inputPlace[$0], output: outputPlace[prognostic[$0]]) }
      .sorted { $0.input < $1.input }
    return GraphModelDescription.Variables(
      inputs: inputs.count, outputs: outputs.count, prognosticInputs: pairs.map(\.input),
      prognosticOutputs: pairs.map(\.output), forcingInputs: inputPlace[prognostic.count...].sorted())
  }

  /// The inputs at one time.
  func parts(_ state: Value, _ auxiliary: Value?) -> [Concatenation.Part] {
    var parts: [Concatenation.Part] = []
    var run: (isState: Bool, columns: [Int])?
    func part(_ run: (isState: Bool, columns: [Int])) -> Concatenation.Part? {
      guard let value = run.isState ? state : auxiliary else { return nil }
      return run.columns == Array(0..<value.shape.columns) ? .value(value) : .columns(value, run.columns)
    }
    for number in inputs {
      let isState = number < prognostic.count
      let column = isState ? prognostic[number] : number - prognostic.count
      if run?.isState == isState {
        run?.columns.append(column)
      } else {
        parts += [run.flatMap(part)].compactMap { $0 }
        run = (isState, [column])
      }
    }
    return parts + [run.flatMap(part)].compactMap { $0 }
  }

  /// A prediction's columns in the order of the fields; nil where they are.
  var reordered: [Int]? { outputPlace == Array(outputPlace.indices) ? nil : outputPlace }
}
