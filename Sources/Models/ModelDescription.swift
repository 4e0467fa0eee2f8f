import Basics
import Tensors

/// Everything that defines a model's computation, as stored in checkpoints: enough to build it again.
public struct ModelDescription: Sendable, Hashable, Codable {
  public enum OutputKind: String, Sendable, Hashable, Codable, CaseIterable {
    /// A learned blend of decoded field and input (as published).
    case blend
    /// The decoder predicts the change over one step, in units of each variable's typical change.
    case residual
  }

  public var gridRows, gridColumns: Int
  public var patchRows, patchColumns: Int
  public var variables, auxiliaries: Int
  public var channels, tokenWidth, channelWidth, blocks: Int
  public var output: OutputKind
  /// For residual output: deviation of each variable's change over one step, in normalised units.
  public var residualScale: [Float]
  public var dropout: Float

  public init(
    gridRows: Int, gridColumns: Int, patchRows: Int, patchColumns: Int, variables: Int, auxiliaries: Int,
    channels: Int, tokenWidth: Int, channelWidth: Int, blocks: Int, output: OutputKind, residualScale: [Float],
    dropout: Float
  ) {
    self.gridRows = gridRows
    self.gridColumns = gridColumns
    self.patchRows = patchRows
    self.patchColumns = patchColumns
    self.variables = variables
    self.auxiliaries = auxiliaries
    self.channels = channels
    self.tokenWidth = tokenWidth
    self.channelWidth = channelWidth
    self.blocks = blocks
    self.output = output
    self.residualScale = residualScale
    self.dropout = dropout
  }

  /// How its fields are cut into tokens.
  /// - Throws: when the patch doesn't divide the grid, naming patches that do.
  public func tiling(place: String = "model.patch") throws -> Tiling {
    guard
      let tiling = Tiling(rows: gridRows, columns: gridColumns, tileRows: patchRows, tileColumns: patchColumns)
    else {
      func divisors(_ n: Int) -> String { (1...n).filter { n % $0 == 0 }.map(String.init).joined(separator: ", ") }
      throw JigsawError(
        place, "doesn't divide the grid", expected: "a patch that divides \(gridRows) × \(gridColumns)",
        found: "\(patchRows) × \(patchColumns)",
        remedy: "choose rows among \(divisors(gridRows)) and columns among \(divisors(gridColumns))")
    }
    return tiling
  }

  /// The model itself.
  public func makeModel() throws -> WeatherMixer {
    let tiling = try tiling()
    let sizes = WeatherMixer.Sizes(
      tokens: tiling.tokens, pointsPerToken: tiling.pointsPerToken, variables: variables, auxiliaries: auxiliaries,
      channels: channels, tokenWidth: tokenWidth, channelWidth: channelWidth, blocks: blocks)
    let head: WeatherMixer.Output =
      switch output {
      case .blend: .blend
      case .residual: .residual(scale: residualScale)
      }
    return WeatherMixer(sizes, output: head, dropoutProbability: dropout)
  }
}
