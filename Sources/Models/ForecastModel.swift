import Execution

/// The input of a model: tokens in the tiled layout [token, batch, point·variable] (see `Tiling`).
public struct ModelInput {
  /// The predicted variables at the input times, oldest first: [T, B, s·V_out] each. Diagnostic variables are zero.
  public let states: [Value]
  /// Static fields and forcings at the input times: [T, B, s·V_aux] each; empty when there are none.
  public let auxiliaries: [Value]

  public init(states: [Value], auxiliaries: [Value]) {
    precondition(!states.isEmpty && (auxiliaries.isEmpty || auxiliaries.count == states.count))
    self.states = states
    self.auxiliaries = auxiliaries
  }

  /// The input of a model with one input time.
  public init(state: Value, auxiliary: Value?) {
    self.init(states: [state], auxiliaries: auxiliary.map { [$0] } ?? [])
  }

  /// The predicted variables at the start of the step.
  public var state: Value { states[states.count - 1] }

  /// The predicted variables of all input times, then the static fields and forcings of all.
  public var all: [Value] { states + auxiliaries }
}

/// Sizes of what a model reads and predicts.
public struct ModelForm: Sendable, Hashable {
  /// T, and s.
  public let tokens, pointsPerToken: Int
  /// V_out, and V_aux: static fields plus forcings.
  public let variables, auxiliaries: Int
  /// Times at which the model reads states and forcings.
  public let inputTimes: Int

  public init(tokens: Int, pointsPerToken: Int, variables: Int, auxiliaries: Int, inputTimes: Int = 1) {
    self.tokens = tokens
    self.pointsPerToken = pointsPerToken
    self.variables = variables
    self.auxiliaries = auxiliaries
    self.inputTimes = inputTimes
  }

  /// Columns of the values that the model reads, in the order of `ModelInput.all`.
  public var inputColumns: [Int] {
    let (states, auxiliary) = (pointsPerToken * variables, pointsPerToken * auxiliaries)
    return Array(repeating: states, count: inputTimes)
      + (auxiliaries > 0 ? Array(repeating: auxiliary, count: inputTimes) : [])
  }

  /// The fields that these columns stand for.
  public var inputSlots: [FieldSlot] {
    func slots(_ role: FieldSlot.Role, _ fields: Int) -> [FieldSlot] {
      (0..<pointsPerToken).flatMap { point in (0..<fields).map { FieldSlot(role, field: $0, point: point) } }
    }
    return (0..<inputTimes).flatMap { slots(.state(time: $0), variables) }
      + (0..<inputTimes).flatMap { slots(.auxiliary(time: $0), auxiliaries) }
  }

  /// The fields that columns of a prediction stand for.
  public var outputSlots: [FieldSlot] {
    (0..<pointsPerToken).flatMap { point in
      (0..<variables).map { FieldSlot(.prediction, field: $0, point: point) }
    }
  }
}

/// A model that steps the atmosphere.
///
/// Models are descriptions: they own no memory and know neither files nor ranks. `Operations` decides where and how they
/// run.
public protocol ForecastModel: Sendable {
  var form: ModelForm { get }
  var parameters: ParameterTable { get }

  /// The phases of a forward pass, in the order in which they run: what its operations are traced and counted as.
  var phases: [StepPhase] { get }

  /// Its sizes in a few words, for example `D 384, 3 blocks`.
  var summary: String { get }

  /// Bytes of what it holds beside parameters, whole on every rank: the graph that it computes on.
  ///
  /// - Parameter rowShares: see `Operations.rowShare`.
  func constantBytes(rowShares: Int) -> Int

  /// Parts that the columns of all its values can be cut into at most: fields, or whole heads of attention where these are fewer.
  var columnParts: Int { get }

  /// The state one step later: [T, B, s·V_out].
  ///
  /// - Parameters:
  ///   - application: counts the steps of an auto-regressive rollout, from 0.
  ///   - isTraining: switches dropout on.
  func step(_ input: ModelInput, application: Int, isTraining: Bool, _ operations: any Operations) throws -> Value
}

/// A model whose processor predicts k steps when it is applied k times between encoding and decoding.
public protocol LatentModel: ForecastModel {
  /// Into the latent space: [T, B, D].
  func encode(_ input: ModelInput, _ operations: any Operations) throws -> Value

  /// One application of the processor, one step of time. `application` counts them within a rollout;
  /// `isTraining` switches dropout on.
  func process(_ latent: Value, application: Int, isTraining: Bool, _ operations: any Operations) throws -> Value

  /// Back to fields: [T, B, s·V_out]. `encoded` is the result of `encode`.
  func decode(_ latent: Value, encoded: Value, input: ModelInput, _ operations: any Operations) throws -> Value
}

extension LatentModel {
  public func step(_ input: ModelInput, application: Int, isTraining: Bool, _ operations: any Operations) throws
    -> Value
  {
    let encoded = try encode(input, operations)
    let latent = try process(encoded, application: application, isTraining: isTraining, operations)
    return try decode(latent, encoded: encoded, input: input, operations)
  }
}

extension ForecastModel {
  public func constantBytes(rowShares: Int) -> Int { 0 }
  public var columnParts: Int { form.variables }
  public var phases: [StepPhase] { [.encoder, .processor, .decoder, .output] }

  /// The state one step later, without rollout.
  public func step(_ input: ModelInput, isTraining: Bool = false, _ operations: any Operations) throws -> Value {
    try step(input, application: 0, isTraining: isTraining, operations)
  }

  /// One step without data, for operations that count or plan.
  public func dryStep(_ operations: any Operations, batch: Int = 1, isTraining: Bool = false) throws {
    func dry(_ fields: Int) -> [Value] {
      let shape = ValueShape(rows: form.tokens, batch: batch, columns: form.pointsPerToken * fields)
      return (0..<form.inputTimes).map { _ in
        Value(shape: shape, groups: form.pointsPerToken, data: nil, requiresGradient: false)
      }
    }
    let input = ModelInput(
      states: dry(form.variables), auxiliaries: form.auxiliaries > 0 ? dry(form.auxiliaries) : [])
    _ = try step(input, isTraining: isTraining, operations)
  }

  /// Floating-point operations of all matrix products in one step of one sample, counted by a dry run.
  public var forwardFLOPs: Int {
    get throws {
      let counting = CountingOperations(parameters)
      try dryStep(counting)
      return counting.productFLOPs
    }
  }
}
