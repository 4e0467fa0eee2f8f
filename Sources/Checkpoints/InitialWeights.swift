import Basics
import Communication
import Datasets
import Distribution
import Execution
import Geometry
import Models
import Stores
import Tensors

/// The part of another training's weights that a new one takes: tensors of the same name, shape and meaning. Rows and columns that stand for
/// fields, in encoder and decoder, are taken by the names of these; those of new fields keep what they start with.
public struct InitialWeights {
  /// Where weights come from, as a checkpoint records it.
  public struct Origin: Sendable, Codable, Equatable {
    public let path: String
    public let model: Lineage.Model
    /// Names of tensors that were not taken.
    public let left: [String]
    /// Names of those of which some rows and columns were; nil in checkpoints of versions that took whole ones alone.
    public let partly: [String]?

    public var summary: String { "\(path), \(model.summary)" }
  }

  public let origin: Origin
  /// Periods that they were trained on.
  public var trained: [Lineage.Period] { checkpoint.manifest.trained }
  private let checkpoint: Checkpoint
  private let taken: Set<String>
  private let parts: [FieldParts]
  private let takenShare: Double
  private let left: [(name: String, reason: String)]
  private let fields: (new: FieldNames, old: FieldNames)
  /// Settings of the model that its weights were trained with, and that are others here.
  private let otherSettings: [String]

  /// - Parameters:
  ///   - table: of the model that is to be trained.
  ///   - manifest: of that training.
  /// - Throws: when nothing fits.
  public init(_ checkpoint: Checkpoint, for table: ParameterTable, _ manifest: CheckpointManifest) throws {
    self.checkpoint = checkpoint
    let description = try checkpoint.description()
    let (old, new) = (checkpoint.manifest.model, manifest.model)
    let tokens = InitialWeights.otherTokens(old, new)
    let found =
      tokens == nil
      ? Dictionary(uniqueKeysWithValues: try description.makeModel().parameters.specs.map { ($0.name, $0) }) : [:]
    let hasOtherGraph = new.fields.graph.map { !description.fields.graph.isSame(as: $0) } ?? false
    let fields = (new: FieldNames(manifest), old: FieldNames(checkpoint.manifest))
    var left: [(name: String, reason: String)] = []
    var parts: [FieldParts] = []
    var (taken, count): (Set<String>, Int) = ([], 0)
    for (index, spec) in table.specs.enumerated() {
      func leave(_ reason: String) { left.append((spec.name, reason)) }
      if let tokens {
        leave(tokens)
      } else if hasOtherGraph && spec.followsGraph {
        leave("another graph")
      } else if spec.group == .decoder && old.settings.outputForm != new.settings.outputForm {
        leave("another output")
      } else if let source = found[spec.name] {
        guard let part = FieldParts(index, spec, from: source, fields) else {
          leave(
            spec.knowsFields && source.knowsFields
              ? "no field in common" : "\(source.shapeText) where this model has \(spec.shapeText)")
          continue
        }
        count += part.count
        if part.isWhole { taken.insert(spec.name) } else { parts.append(part) }
      } else {
        leave("not there")
      }
    }
    (self.left, self.parts, self.taken, self.fields) = (left, parts, taken, fields)
    takenShare = Double(count) / Double(max(1, table.elementCount))
    otherSettings = InitialWeights.differences(old.settings, new.settings)
    origin = Origin(
      path: Files.absolute(checkpoint.path), model: checkpoint.manifest.identity, left: left.map(\.name),
      partly: parts.map(\.name))
    if count == 0 {
      throw JigsawError(
        "training.initialWeights", "names a model of which nothing fits this one", expected: left.first?.reason,
        found: checkpoint.path,
        remedy: "give the model the same sizes and grid, or leave initialWeights out")
    }
  }

  /// Why nothing can be taken; nil where families and tokens are the same.
  private static func otherTokens(_ old: ModelDescription, _ new: ModelDescription) -> String? {
    func tokens(_ model: ModelDescription) -> String? {
      (try? model.tiling()).map { "\($0.tileRows) × \($0.tileColumns) points of \($0.rows) × \($0.columns)" }
    }
    if old.settings.family == new.settings.family && tokens(old) == tokens(new) { return nil }
    return "other tokens: \(tokens(old) ?? old.settings.title)"
  }

  /// A model of the same shapes may compute something else with them: heads, activations, limits.
  private static func differences(_ old: any ModelSettings, _ new: any ModelSettings) -> [String] {
    let before = Dictionary(old.entries.map { ($0.key, $0.value) }) { first, _ in first }
    let orders = type(of: new).orderSettings
    return new.computedEntries.filter { !orders.contains($0.key) && before[$0.key] != $0.value }.map {
      "\($0.key) \(before[$0.key] ?? "nothing") there, \($0.value) here"
    }
  }

  /// Fills this rank's parts of what fits; the rest keeps what it is. All ranks call it together.
  public func load(into rank: ModelRank) throws {
    try checkpoint.load(.averaged, into: rank, only: taken)
    try rank.context.world.together {
      for part in parts { part.fill(rank, from: try checkpoint.tensor(part.name, of: .averaged)) }
    }
  }

  /// The tensors that were taken and those that were not, a line each.
  public var lines: [String] {
    var lines = [
      "initial weights: \(taken.count + parts.count) of \(taken.count + parts.count + left.count) tensors "
        + "(\(fixed(100 * takenShare, 1)) % of the parameters) of \(checkpoint.path) (\(origin.model.summary))"
    ]
    if !parts.isEmpty {
      func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
      let (new, old) = (fields.new.all, fields.old.all)
      lines.append(
        "initial weights: taken by field (\(list(new.filter(old.contains)))): \(list(parts.map(\.name))); "
          + "new and as in a new model: \(list(new.filter { !old.contains($0) })); "
          + "not needed: \(list(old.filter { !new.contains($0) }))")
    }
    let reasons = left.reduce(into: [String]()) { if !$0.contains($1.reason) { $0.append($1.reason) } }
    for reason in reasons {
      let names = left.filter { $0.reason == reason }.map(\.name)
      lines.append("initial weights: not taken (\(reason)): \(names.joined(separator: ", "))")
    }
    if !otherSettings.isEmpty {
      lines.append(
        "initial weights: trained with other settings of the model: \(otherSettings.joined(separator: "; "))")
    }
    return lines
  }

  /// A sentence where they were trained for steps of another length; nil where these are the same.
  public func otherStep(_ manifest: CheckpointManifest) -> String? {
    let there = checkpoint.manifest.stepHours
    return there == manifest.stepHours
      ? nil : "the weights were trained for steps of \(there) h, and these are of \(manifest.stepHours) h"
  }

  /// Fields that are normalised otherwise than where the weights come from.
  public func renormalised(_ manifest: CheckpointManifest) -> [String] {
    let found = checkpoint.manifest.channels + (checkpoint.manifest.readForcings ?? [])
    return (manifest.channels + (manifest.readForcings ?? [])).filter { own in
      found.contains { $0.channel == own.channel && !$0.statistics.isNear(own.statistics) }
    }.map(\.channel.name)
  }
}

/// The names of a model's fields, by their numbers.
private struct FieldNames {
  let predicted, auxiliary: [String]
  private let inputSteps: [Int]
  private let diagnostics: Set<Int>

  init(_ manifest: CheckpointManifest) {
    predicted = manifest.channels.map(\.channel.name)
    auxiliary =
      manifest.staticFields + manifest.forcings.map(\.rawValue) + (manifest.readForcings ?? []).map(\.channel.name)
    inputSteps = manifest.model.fields.inputSteps
    diagnostics = manifest.model.fields.diagnostics
  }

  var all: [String] { predicted + auxiliary }

  /// The same for what means the same in two models; nil where nothing was learned of it.
  func meaning(_ slot: FieldSlot) -> String? {
    switch slot.role {
    case .state(let time):
      diagnostics.contains(slot.field) ? nil : "state \(inputSteps[time]) \(predicted[slot.field]) \(slot.point)"
    case .auxiliary(let time): "auxiliary \(inputSteps[time]) \(auxiliary[slot.field]) \(slot.point)"
    case .prediction: "prediction \(predicted[slot.field]) \(slot.point)"
    case .other: "other \(slot.field) \(slot.point)"
    }
  }
}

/// The rows and columns of a tensor that are taken of another model's.
private struct FieldParts {
  let name: String
  private let index: Int
  /// By row and column: those of the other tensor; nil for new ones.
  private let rows, columns: [Int?]
  private let sourceColumns: Int

  /// - Parameter index: of the parameter.
  /// - Returns: nil where nothing of it fits.
  init?(_ index: Int, _ spec: ParameterSpec, from source: ParameterSpec, _ fields: (new: FieldNames, old: FieldNames)) {
    func places(_ new: [FieldSlot]?, _ old: [FieldSlot]?, _ counts: (new: Int, old: Int)) -> [Int?]? {
      guard let new, let old else {
        return (new == nil) == (old == nil) && counts.new == counts.old ? Array(0..<counts.new) : nil
      }
      var place: [String: Int] = [:]
      for (number, slot) in old.enumerated() {
        if let meaning = fields.old.meaning(slot) { place[meaning] = number }
      }
      let found = new.map { fields.new.meaning($0).flatMap { place[$0] } }
      return found.contains { $0 != nil } ? found : nil
    }
    guard spec.shape.count == source.shape.count,
      let rows = places(spec.rowSlots, source.rowSlots, (spec.rows, source.rows)),
      let columns = places(spec.columnSlots, source.columnSlots, (spec.columns, source.columns))
    else { return nil }
    (self.index, self.rows, self.columns) = (index, rows, columns)
    name = spec.name
    sourceColumns = source.columns
    func isInOrder(_ places: [Int?]) -> Bool { places.enumerated().allSatisfy { $0.offset == $0.element } }
    isWhole = spec.shape == source.shape && isInOrder(rows) && isInOrder(columns)
  }

  /// Whether it is all of the other tensor, in its order.
  let isWhole: Bool
  /// Numbers that are taken.
  var count: Int { rows.count { $0 != nil } * columns.count { $0 != nil } }

  /// Fills what a rank holds of it.
  /// - Parameter source: the whole other tensor.
  func fill(_ rank: ModelRank, from source: [Float]) {
    let id = ParameterID(index: index)
    rank.parameters.value(id).updateOnHost { target in
      rank.forEachRun(id) { run in
        guard let row = rows[run.row] else { return }
        for (place, column) in columns[run.columns].enumerated() {
          if let column { target[run.offset + place] = source[row * sourceColumns + column] }
        }
      }
    }
  }
}

extension ParameterSpec {
  fileprivate var knowsFields: Bool { rowSlots != nil || columnSlots != nil }
  fileprivate var shapeText: String { shape.map(String.init).joined(separator: " × ") }
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
