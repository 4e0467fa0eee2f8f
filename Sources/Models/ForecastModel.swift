import Execution

/// What a model sees of a sample: tokens in the tiled layout [token, batch, point·variable] (see `Tiling`).
public struct ModelInput {
  /// The predicted variables at the start: [T, B, s·V_out].
  public let state: Value
  /// Static fields and forcings: [T, B, s·V_aux]; nil when there are none.
  public let auxiliary: Value?

  public init(state: Value, auxiliary: Value?) {
    self.state = state
    self.auxiliary = auxiliary
  }
}

/// Sizes of what a model reads and predicts.
public struct ModelForm: Sendable, Hashable {
  /// T, and s.
  public let tokens, pointsPerToken: Int
  /// V_out, and V_aux: static fields plus forcings.
  public let variables, auxiliaries: Int

  public init(tokens: Int, pointsPerToken: Int, variables: Int, auxiliaries: Int) {
    self.tokens = tokens
    self.pointsPerToken = pointsPerToken
    self.variables = variables
    self.auxiliaries = auxiliaries
  }
}

/// A model that steps the atmosphere: encode, process once per step, decode.
///
/// Models are descriptions: they own no memory and know neither files nor ranks. `Operations` decides where and how they
/// run.
public protocol ForecastModel: Sendable {
  var form: ModelForm { get }
  var parameters: ParameterTable { get }

  /// The phases of a forward pass, in the order in which they run: what its operations are traced and counted as.
  var phases: [StepPhase] { get }

  /// Whether applying the processor k times between encoding and decoding predicts k steps.
  var supportsLatentRollout: Bool { get }

  /// Its sizes in a few words, for example `D 384, 3 blocks`.
  var summary: String { get }

  /// Into the latent space: [T, B, D].
  func encode(_ input: ModelInput, _ operations: any Operations) throws -> Value

  /// One application of the processor, one step of time. `application` counts them within a rollout;
  /// `isTraining` switches dropout on.
  func process(_ latent: Value, application: Int, isTraining: Bool, _ operations: any Operations) throws -> Value

  /// Back to fields: [T, B, s·V_out]. `encoded` is what `encode` returned.
  func decode(_ latent: Value, encoded: Value, input: ModelInput, _ operations: any Operations) throws -> Value
}

extension ForecastModel {
  public var phases: [StepPhase] { [.encoder, .processor, .decoder, .output] }
  public var supportsLatentRollout: Bool { true }

  /// The state one step later, or `applications` steps later by latent rollout. `firstApplication` tells the steps of an
  /// auto-regressive rollout apart.
  public func step(
    _ input: ModelInput, applications: Int = 1, firstApplication: Int = 0, isTraining: Bool = false,
    _ operations: any Operations
  ) throws -> Value {
    let encoded = try encode(input, operations)
    var latent = encoded
    for application in 0..<applications {
      latent = try process(latent, application: firstApplication + application, isTraining: isTraining, operations)
    }
    return try decode(latent, encoded: encoded, input: input, operations)
  }

  /// One step without data, for operations that count or plan.
  public func dryStep(_ operations: any Operations, batch: Int = 1, isTraining: Bool = false) throws {
    func dry(_ fields: Int) -> Value {
      let shape = ValueShape(rows: form.tokens, batch: batch, columns: form.pointsPerToken * fields)
      return Value(shape: shape, groups: form.pointsPerToken, data: nil, requiresGradient: false)
    }
    let auxiliary = form.auxiliaries > 0 ? dry(form.auxiliaries) : nil
    _ = try step(ModelInput(state: dry(form.variables), auxiliary: auxiliary), isTraining: isTraining, operations)
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
