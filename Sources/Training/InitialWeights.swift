import Basics
import Datasets
import Distribution
import Execution
import Geometry
import Models
import Stores
import Tensors

/// What a new training takes of another's weights: tensors of the same name, shape and meaning. Those between encoder and decoder
/// know no fields; encoder and decoder are taken where the model predicts the same fields from the same ones.
public struct InitialWeights {
  /// Where weights come from, as a checkpoint records it.
  public struct Origin: Sendable, Codable, Equatable {
    public let path: String
    public let model: Lineage.Model
    /// Names of tensors that were not taken.
    public let left: [String]

    public var summary: String { "\(path), \(model.summary)" }
  }

  public let origin: Origin
  private let checkpoint: Checkpoint
  private let taken: Set<String>
  private let takenShare: Double
  private let left: [(name: String, reason: String)]

  /// - Parameters:
  ///   - table: of the model that is to be trained.
  ///   - manifest: of that training.
  /// - Throws: when nothing fits.
  public init(_ checkpoint: Checkpoint, for table: ParameterTable, _ manifest: CheckpointManifest) throws {
    self.checkpoint = checkpoint
    let found = try Safetensors.File("\(checkpoint.path)/\(checkpoint.file(.averaged))").entries.mapValues(\.shape)
    let misfit = InitialWeights.misfit(checkpoint.manifest, manifest)
    let hasOtherGraph =
      try manifest.model.fields.graph.map {
        try !checkpoint.description().fields.graph.isSame(as: $0)
      } ?? false
    var left: [(name: String, reason: String)] = []
    var count = 0
    for spec in table.specs {
      if let reason = InitialWeights.reason(spec, found[spec.name], misfit) {
        left.append((spec.name, reason))
      } else if hasOtherGraph && spec.followsGraph {
        left.append((spec.name, "another graph"))
      } else {
        count += spec.count
      }
    }
    self.left = left
    taken = Set(table.specs.map(\.name)).subtracting(left.map(\.name))
    takenShare = Double(count) / Double(max(1, table.elementCount))
    origin = Origin(
      path: Files.absolute(checkpoint.path), model: checkpoint.manifest.identity, left: left.map(\.name))
    if taken.isEmpty {
      throw JigsawError(
        "training.initialWeights", "names a model of which nothing fits this one", expected: left.first?.reason,
        found: checkpoint.path,
        remedy: "give the model the same sizes and grid, or leave initialWeights out")
    }
  }

  /// Why encoder and decoder can't be taken, and why nothing can.
  private static func misfit(_ old: CheckpointManifest, _ new: CheckpointManifest) -> (fields: String?, tokens: String?)
  {
    func names(_ manifest: CheckpointManifest) -> [[String]] {
      [
        manifest.channels.map(\.channel.name), manifest.staticFields, manifest.forcings.map(\.rawValue),
        (manifest.readForcings ?? []).map(\.channel.name), manifest.model.fields.inputSteps.map(String.init),
        manifest.model.fields.diagnostics.sorted().map(String.init),
      ]
    }
    let (a, b) = (old.model, new.model)
    func tokens(_ model: ModelDescription) -> String? {
      (try? model.tiling()).map { "\($0.tileRows) × \($0.tileColumns) points of \($0.rows) × \($0.columns)" }
    }
    let isAlike = a.settings.family == b.settings.family && tokens(a) == tokens(b)
    let isOutputAlike = a.settings.outputForm == b.settings.outputForm
    let isOrderAlike = a.settings.columnOrder == b.settings.columnOrder
    return (
      names(old) == names(new)
        ? isOutputAlike ? isOrderAlike ? nil : "for fields in another order" : "another output" : "for other fields",
      isAlike ? nil : "other tokens: \(tokens(a) ?? a.settings.title)"
    )
  }

  /// Why a tensor is not taken; nil if it is.
  private static func reason(
    _ spec: ParameterSpec, _ found: [Int]?, _ misfit: (fields: String?, tokens: String?)
  ) -> String? {
    guard let found else { return "not there" }
    if let tokens = misfit.tokens { return tokens }
    if found != spec.shape {
      func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " × ") }
      return "\(text(found)) where this model has \(text(spec.shape))"
    }
    return spec.group == .processor ? nil : misfit.fields
  }

  /// Fills this rank's parts of the tensors that fit; the others keep what they are.
  public func load(into rank: ModelRank) throws { try checkpoint.load(.averaged, into: rank, only: taken) }

  /// What was taken and what was not, a line each.
  public var lines: [String] {
    var lines = [
      "initial weights: \(taken.count) of \(taken.count + left.count) tensors (\(fixed(100 * takenShare, 1)) % of the "
        + "parameters) of \(checkpoint.path) (\(origin.model.summary))"
    ]
    let reasons = left.reduce(into: [String]()) { if !$0.contains($1.reason) { $0.append($1.reason) } }
    for reason in reasons {
      let names = left.filter { $0.reason == reason }.map(\.name)
      lines.append("initial weights: not taken (\(reason)): \(names.joined(separator: ", "))")
    }
    return lines
  }

  /// Fields that are normalised otherwise than where the weights come from.
  public func renormalised(_ manifest: CheckpointManifest) -> [String] {
    let found = checkpoint.manifest.channels + (checkpoint.manifest.readForcings ?? [])
    return (manifest.channels + (manifest.readForcings ?? [])).filter { own in
      found.contains { $0.channel == own.channel && !$0.statistics.isNear(own.statistics) }
    }.map(\.channel.name)
  }
}

extension HeteroGraph? {
  /// Whether nodes and edges are the same, in the same order.
  fileprivate func isSame(as other: HeteroGraph) -> Bool {
    guard let self else { return false }
    func sorted(_ edges: [HeteroGraph.EdgeSet]) -> [HeteroGraph.EdgeSet] { edges.sorted { $0.name < $1.name } }
    return sorted(self.edges) == sorted(other.edges)
      && self.spaces.mapValues(\.fingerprint) == other.spaces.mapValues(\.fingerprint)
  }
}
