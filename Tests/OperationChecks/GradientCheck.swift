import Execution
import Tensors

/// An operation's backward against central differences: the loss Σ c·y changes along the gradient as the gradient says.
/// Tests of operations in Execution and in the folders of model families share it.
public enum GradientCheck {
  /// Normally distributed elements that depend on the name alone.
  public static func tensor(_ shape: [Int], _ name: String, scale: Float = 1) -> Tensor {
    let tensor = Tensor(zeros: shape)
    RandomStream(seed: 7, name: name).fillNormal(tensor.floats, deviation: scale, row: 0, columns: 0..<tensor.count)
    return tensor
  }

  /// Compares d loss / d (every input and every parameter) of `operation`.
  ///
  /// - Parameter inputs: [rows, batch, columns] each; restored after the check.
  /// - Returns: what is wrong, one sentence per input or parameter.
  public static func failures(
    _ table: ParameterTable, inputs: [Tensor], dropoutSeed: UInt64 = 0,
    _ operation: (LocalOperations, [Value]) throws -> Value
  ) throws -> [String] {
    let compute = Compute(threads: 2)
    let parameters = ParameterStore(table)
    parameters.initialize(seed: 1)
    for (spec, tensor) in parameters.named(in: parameters.values) where spec.shape.count == 1 {
      compute.add(self.tensor(spec.shape, spec.name, scale: 0.3), to: tensor)
    }
    let operations = LocalOperations(compute: compute, parameters: parameters)
    operations.randomKey.seed = dropoutSeed
    let tape = Tape()
    operations.tape = tape
    let values = inputs.map { Value($0, requiresGradient: true) }
    let y = try operation(operations, values)
    operations.tape = nil
    let weights = tensor(y.shape.dimensions, "loss")
    y.gradient = compute.tensor(y.shape.dimensions)
    y.gradient?.copy(from: weights)
    try tape.backward()

    func loss() throws -> Double {
      let y = try operation(operations, inputs.map { Value($0) })
      return zip(y.tensor.values, weights.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    var variables = zip(inputs, values).enumerated().map { ("input \($0)", $1.0, $1.1.takeGradient().values) }
    for ((spec, value), (_, gradient)) in zip(
      parameters.named(in: parameters.values), parameters.named(in: parameters.gradients))
    {
      variables.append((spec.name, value, gradient.values))
    }
    var failures: [String] = []
    for (name, variable, gradient) in variables {
      let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      guard norm > 1e-3 else {
        failures.append("\(name) has no gradient")
        continue
      }
      let original = variable.values
      let step = 4e-3
      func shifted(_ sign: Double) throws -> Double {
        for i in original.indices {
          variable.pointer[i] = original[i] + Float(sign * step * Double(gradient[i]) / norm)
        }
        return try loss()
      }
      let slope = try (shifted(1) - shifted(-1)) / (2 * step)
      for i in original.indices { variable.pointer[i] = original[i] }
      if !(abs(slope - norm) < 3e-3 * norm) {
        failures.append("\(name): \(slope) by differences, \(norm) by backward")
      }
    }
    return failures
  }
}
