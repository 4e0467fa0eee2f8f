import Datasets

import Basics

/// Everything a report shows, as plain values. Parts that are nil are left out of the page.
public struct ReportContents: Sendable {
  /// The name of the run.
  public var title: String
  /// Short pieces on what was trained and verified, for one line.
  public var summary: [String] = []
  /// A statement about the data that readers must not miss, for example "simulated, not observed".
  public var notice: String?
  /// The parts that are missing, and how to make them.
  public var hints: [Hint] = []
  public var keyFigures: [KeyFigure] = []
  /// By channel, units of variables that the lexicon lacks.
  public var units: [String: String] = [:]
  public var maps: MapContents?
  public var scores: ScoreTable?
  public var spectra: SpectraTable?
  public var training: TrainingCurves?
  /// Names and values for a table: model, data, machine.
  public var facts: [Fact] = []
  /// Texts shown as they are, folded: the configuration and where it ran.
  public var documents: [Document] = []
  /// Which program made the page, and when.
  public var origin: String

  public init(title: String, origin: String) {
    self.title = title
    self.origin = origin
  }

  func display(of channel: Channel) -> ChannelDisplay { ChannelDisplay(channel, units: units[channel.name]) }

  /// A part that the page lacks: `text` says so, `command` makes it (nil: nothing to run).
  public struct Hint: Sendable {
    public let text: String
    public let command: String?

    public init(_ text: String, command: String? = nil) {
      self.text = text
      self.command = command
    }
  }

  /// A number in large type: "0.80", "mean RMSE ratio", "to persistence at 24 h, 19 fields".
  public struct KeyFigure: Sendable {
    public let value, label, detail: String

    public init(_ value: String, _ label: String, detail: String = "") {
      self.value = value
      self.label = label
      self.detail = detail
    }
  }

  public struct Fact: Sendable {
    public let name, value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public struct Document: Sendable {
    public let title, text: String

    public init(title: String, text: String) {
      self.title = title
      self.text = text
    }
  }
}
