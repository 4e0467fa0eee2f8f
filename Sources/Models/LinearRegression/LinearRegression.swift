import Basics
import Execution
import Settings
import Tensors

/// Settings of the linear regression.
public struct LinearRegressionSettings: ModelSettings {
  public static let family = "linear-regression"
  public static let title = "linear regression"
  public static let help = "the change of a patch as a linear function of it, a baseline (docs/write-a-model.md)"

  /// Rows and columns of a patch.
  public var patch = [1, 1]

  public init() {}

  public static let fields: [Field<LinearRegressionSettings>] = [
    .integers("patch", \.patch, count: 2, "Rows and columns of grid points that are predicted from each other.")
  ]

  public func tiling(_ fields: ModelFields) throws -> Tiling { try fields.tiling(patch: patch) }

  public func makeModel(_ fields: ModelFields) throws -> any ForecastModel {
    let tiling = try tiling(fields)
    return LinearRegression(
      ModelForm(
        tokens: tiling.tokens, pointsPerToken: tiling.pointsPerToken, variables: fields.variables,
        auxiliaries: fields.auxiliaries, inputTimes: fields.inputSteps.count), tendencyScale: fields.tendencyScale)
  }
}

/// Predicts the change of all fields of a patch from the fields, static fields and forcings of the same patch at the input
/// times, K of them:
///
/// ```
/// Y = P·Wᵀ + b       [T, B, s·V_out], P [T, B, K·s·(V_out + V_aux)], W [s·V_out, K·s·(V_out + V_aux)]
/// ŷ = x + f ⊙ Y      x: the last state, f: the typical change of each field over one step
/// ```
/// The weights are the same for all patches and start at zero, which is persistence.
public struct LinearRegression: ForecastModel {
  public let form: ModelForm
  public let parameters: ParameterTable
  public let phases: [StepPhase] = [.encoder, .output]
  private let tendencyScale: [Float]
  private let weights: LinearParameters

  public init(_ form: ModelForm, tendencyScale: [Float]) {
    precondition(tendencyScale.count == form.variables)
    self.form = form
    self.tendencyScale = tendencyScale
    let s = form.pointsPerToken
    var table = ParameterTable()
    weights = table.linear(
      "regression", inputs: form.inputColumns, outputs: s * form.variables, outputGroups: s, group: .encoder, zero: true
    )
    table.label(weights.weight, rows: form.outputSlots, columns: form.inputSlots)
    table.label(weights.bias, columns: form.outputSlots)
    parameters = table
  }

  public var summary: String { "\(form.tokens) patches of \(form.pointsPerToken) points" }

  public func step(_ input: ModelInput, application: Int, isTraining: Bool, _ operations: any Operations) throws
    -> Value
  {
    let change = try operations.linear(input.all, weights)
    // Per grid point: [T, B·s, V].
    let (batch, columns) = (change.shape.batch, change.shape.columns)
    let points = batch * form.pointsPerToken
    let state = try operations.reshape(input.state, batch: points, columns: form.variables)
    let next = try operations.addScaled(
      operations.reshape(change, batch: points, columns: form.variables), factor: tendencyScale, to: state)
    return try operations.reshape(next, batch: batch, columns: columns)
  }
}
