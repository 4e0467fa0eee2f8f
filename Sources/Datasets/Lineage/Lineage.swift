import Basics
import FoundationEssentials

/// The origin of a result: data, settings that matter, a checkpoint, a forecast. Statistics, checkpoints, forecasts and
/// scores carry one, and whoever reads them compares it with the present inputs (`difference`).
public struct Lineage: Sendable, Codable, Equatable {
  /// A checkpoint by its update and by its numbers.
  public struct Model: Sendable, Codable, Equatable {
    public let update: Int
    /// A digest of the weights that forecasts are made with.
    public let hash: String

    public init(update: Int, hash: String) {
      self.update = update
      self.hash = hash
    }

    public var summary: String { "update \(update) (\(hash))" }
  }

  /// A forecast store.
  public struct Forecast: Sendable, Codable, Equatable {
    public let path: String
    public let content: DataFingerprint

    public init(path: String, content: DataFingerprint) {
      self.path = path
      self.content = content
    }
  }

  /// A period of dates, both ends in it.
  public struct Period: Sendable, Codable, Equatable {
    public let start, end: String

    public init(_ start: String, _ end: String) {
      self.start = start
      self.end = end
    }

    /// Nil where an end is no date.
    public var range: ClosedRange<Timestamp>? {
      guard let start = Timestamp(start), let end = Timestamp(end), start <= end else { return nil }
      return start...end
    }

    public var display: String { range.map { "\($0.lowerBound.display) … \($0.upperBound.display)" } ?? start }
  }

  public var version = jigsawVersion
  public var data: DataFingerprint?
  public var model: Model?
  /// The digest of the data and settings that the model's training began with, which tells it from others; nil where it isn't known.
  public var training: String?
  public var forecast: Forecast?
  /// By name, for example the period.
  public var settings: [String: String]
  /// Periods that the model was trained on, those of trainings before among them, and by which its best checkpoint was chosen; nil where
  /// they aren't known.
  public var trained, validated: [Period]?
  /// Initial times that were wanted and are not there, since the data lack what they need.
  public var leftOut: [String]?
  /// Sentences that readers of the result must not miss.
  public var remarks: [String]?

  public init(
    data: DataFingerprint? = nil, model: Model? = nil, forecast: Forecast? = nil, settings: [String: String] = [:]
  ) {
    self.data = data
    self.model = model
    self.forecast = forecast
    self.settings = settings
  }

  /// Something that differs, and both sides in words.
  public struct Difference: Sendable, Equatable {
    public let what, recorded, now: String

    public init(_ what: String, recorded: String, now: String) {
      self.what = what
      self.recorded = recorded
      self.now = now
    }

    /// "made from other data (…; now …)".
    public var sentence: String { "\(what): made from \(recorded), now \(now)" }
  }

  /// The first difference between this record and the present inputs, of what both know; nil: none.
  public func difference(from now: Lineage) -> Difference? {
    if let model, let other = now.model, model != other {
      return Difference("checkpoint", recorded: model.summary, now: other.summary)
    }
    for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
      if let other = now.settings[key], other != value { return Difference(key, recorded: value, now: other) }
    }
    if let data, let other = now.data, !data.isSame(as: other) {
      return Difference("data", recorded: data.summary, now: other.summary(beside: data))
    }
    if let forecast, let other = now.forecast, !forecast.content.isSame(as: other.content) {
      return Difference(
        "forecast", recorded: "\(forecast.path) (\(forecast.content.summary))",
        now: "\(other.path) (\(other.content.summary(beside: forecast.content)))")
    }
    return nil
  }

  /// Settings with which a model gives other forecasts.
  public static let (precision, bounds) = ("precision", "forecast.bounds")

  /// The setting under which a forecast records the choice of its checkpoint: best, newest, automatic or a path.
  public static let choice = "checkpoint asked for"

  /// The setting that says what was chosen of the data (`FieldDataset.selection`).
  public static let selection = "selection"

  /// A selection in words.
  public static func text(selection: String) -> String {
    selection.allSatisfy { " ;".contains($0) } ? "whole sources" : selection
  }

  /// The part that decides the numbers of forecasts from one state: the model, and how it is computed.
  public var computation: Lineage {
    Lineage(model: model, settings: settings.filter { [Lineage.precision, Lineage.bounds].contains($0.key) })
  }

  /// The model and the precision that it is computed in, in words.
  public var modelText: String? { model.map { $0.summary + (settings[Lineage.precision].map { ", \($0)" } ?? "") } }

  /// The same with the path by which its checkpoint was named, if it was: it may be another run's.
  public var modelTextWithOrigin: String? {
    modelText.map { text in
      settings[Lineage.choice].flatMap { $0.contains("/") ? "\(text), named as \($0)" : nil } ?? text
    }
  }

  // MARK: Text

  /// The record as an attribute of a store or a document.
  public func json(pretty: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Nil where it is none.
  public init?(json: some Sequence<UInt8>) {
    guard let found = try? JSONDecoder().decode(Lineage.self, from: Data(json)) else { return nil }
    self = found
  }

  /// The lineage in a file; nil where there is none or it is something else.
  public static func read(_ path: String) throws -> Lineage? {
    try Files.readIfPresent(path, atMost: 16 << 20).flatMap { Lineage(json: $0) }
  }

  /// The global attribute of stores that holds it.
  public static let attribute = "jigsaw_lineage"
}
