import Basics
import Checkpoints
import Configuration
import Datasets
import Forecasting
import Training

/// Where things are in the folder of a run.
public struct RunFolder: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path }

  public var configuration: String { "\(path)/config.yaml" }
  public var provenance: String { "\(path)/provenance.json" }
  public var statistics: String { "\(path)/statistics.json" }
  public var metrics: String { "\(path)/metrics.csv" }
  public var validation: String { "\(path)/validation.csv" }
  public var log: String { "\(path)/train.log" }
  public var tensorBoard: String { "\(path)/tensorboard" }
  public var evaluation: String { "\(path)/evaluation" }
  static func scores(_ evaluation: String) -> String { "\(evaluation)/scores.csv" }
  static func spectra(_ evaluation: String) -> String { "\(evaluation)/spectra.csv" }
  public var report: String { "\(path)/report.html" }

  public func checkpoints(keep: Int = 2) -> CheckpointFolder { CheckpointFolder("\(path)/checkpoints", keep: keep) }

  /// A path below this folder from there on, any other from the root on.
  func relative(_ path: String) -> String {
    let (whole, own) = (Files.absolute(path), Files.absolute(self.path) + "/")
    return whole.hasPrefix(own) ? String(whole.dropFirst(own.count)) : whole
  }

  // MARK: Runs that replace others

  /// Where an earlier run is until the one that replaces it has a checkpoint.
  private static let asideName = ".replaced"
  private var aside: String { "\(path)/\(RunFolder.asideName)" }
  private var replaceable: [String] {
    [
      "checkpoints", "tensorboard", "train.log", "statistics.json", "metrics.csv", "validation.csv", "config.yaml",
      "provenance.json",
    ]
  }

  /// - Throws: when something that a training writes is a link, behind which it would replace files elsewhere.
  func requireNoLinks() throws {
    for name in replaceable + [RunFolder.asideName] where Files.isLink("\(path)/\(name)") {
      throw JigsawError(
        "\(path)/\(name)", "is a link, behind which a training would replace files",
        expected: "a file or folder of the run",
        remedy: "put what it leads to in its place, or link the folder of the run as a whole")
    }
  }

  /// Puts what an earlier run wrote aside. A run that has lost its checkpoints has an empty folder of them there.
  func setAside() throws {
    if !Files.exists("\(path)/checkpoints") { try Files.createDirectory("\(path)/checkpoints") }
    try Files.createDirectory(aside)
    for name in replaceable where Files.exists("\(path)/\(name)") {
      try Files.rename("\(path)/\(name)", to: "\(aside)/\(name)")
    }
  }

  /// Removes what a killed training was writing; for whoever holds the lock of the run.
  func removeAbandoned() throws {
    try Temporary.removeAbandoned(of: configuration, provenance, metrics, validation, statistics)
  }

  /// Removes an earlier run that has been replaced. What no training wrote into its folders (a copy of a checkpoint under a name of
  /// its own, notes) goes to those of the new run.
  func removeAside() throws {
    guard Files.isFolderItself(aside) else { return }
    for folder in ["checkpoints", "tensorboard"] where Files.isFolderItself("\(aside)/\(folder)") {
      for name in try Files.list("\(aside)/\(folder)") {
        let isNamed = folder == "checkpoints" ? CheckpointFolder.isOwn(name) : TensorBoardFile.isOwn(name)
        let holdsOthers = try folder == "checkpoints" && CheckpointFolder("\(aside)/\(folder)").holdsOthers(name)
        if isNamed && !holdsOthers { continue }
        try Files.createDirectory("\(path)/\(folder)")
        var target = "\(path)/\(folder)/\(name)\(isNamed ? "-earlier" : "")"
        while Files.exists(target) { target += "-earlier" }
        try Files.rename("\(aside)/\(folder)/\(name)", to: target)
      }
    }
    try Files.removeAtOnce(aside)
  }

  /// Whether a training is replacing an earlier run and has no checkpoint yet: forecasts and scores here are the earlier one's.
  var isBeingReplaced: Bool {
    get throws { try Files.exists("\(aside)/checkpoints") && checkpoints().isEmpty }
  }

  /// Brings an earlier run back if what was to replace it has come to no checkpoint.
  private func restoreAside() throws {
    try Temporary.removeAbandoned(of: aside)
    guard Files.isFolderItself(aside) else { return }
    // Checkpoints are the first to be put aside and to come back.
    let isReplaced = try Files.exists("\(aside)/checkpoints") && !checkpoints().isEmpty
    if !isReplaced {
      for name in replaceable where Files.exists("\(aside)/\(name)") {
        try Files.remove("\(path)/\(name)")
        try Files.rename("\(aside)/\(name)", to: "\(path)/\(name)")
      }
    }
    try removeAside()
  }

  /// Whether something was stopped half-way that `recover` ends.
  private var isUnfinished: Bool {
    get throws {
      try Files.exists(aside) || !Temporary.abandoned(of: aside).isEmpty || checkpoints().isUnfinished
    }
  }

  /// Ends what a killed process left half done, unless a training is at work here.
  public func recover() throws {
    // Where the folder can't be locked, another is at work in it, or it can't be written to: then nothing is changed.
    guard try isUnfinished, let lock = try? OutputLock(folder: path) else { return }
    try restoreAside()
    try checkpoints().recover()
    withExtendedLifetime(lock) {}
  }

  /// The forecast that `forecast` writes by default.
  public func forecast(_ section: ForecastSection) -> String {
    if section.layout == .perForecast { return "\(path)/forecast" }
    return "\(path)/\(section.storedFormat.defaultName)"
  }

  /// The run's own forecasts that are there, the latest first.
  public var existingForecasts: [String] {
    let paths = (ForecastFormat.defaultNames + ["forecast"]).map { "\(path)/\($0)" }.filter(Files.exists)
    return paths.map { (path: $0, time: Files.modificationSeconds($0) ?? 0) }.sorted { $0.time > $1.time }.map(\.path)
  }

  /// Whether these are the run's own sources.
  func isOwn(_ sources: [SourceDescription]) throws -> Bool {
    try sources == Assembly.descriptions(RunConfiguration.load(configuration).data)
  }

  /// The folder for scores of a forecast against the run's own data, or one beside, called after these, for other data or for other
  /// fields than the run's.
  func evaluation(of forecast: String, against data: DataSection) throws -> String {
    func digest(_ text: String) -> Substring {
      var digest = Digest()
      digest.add(text)
      return digest.text.prefix(8)
    }
    func fields(_ data: DataSection) -> String {
      "\(data.variables.sorted()) \(data.levels.sorted()) \(data.rows.map(String.init) ?? "all rows")"
    }
    var target = try evaluation(of: forecast)
    let sources = Assembly.descriptions(data)
    if try !isOwn(sources) { target += "-against-\(digest(sources.map(\.display).joined(separator: ", ")))" }
    if try fields(data) != fields(RunConfiguration.load(configuration).data) {
      target += "-of-\(digest(fields(data)))"
    }
    return target
  }

  /// The folder for scores of a forecast: `evaluation` for the run's own, one beside, called after the store, for another's.
  /// Another store of the same name gets a folder with a digest of its path.
  func evaluation(of forecast: String) throws -> String {
    if existingForecasts.contains(where: { Files.isSame($0, forecast) }) { return evaluation }
    let name = forecast.split(separator: "/").last.map(String.init) ?? "forecast"
    let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    let safe = String(stem.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" }.prefix(80))
    let folder = "\(evaluation)-\(safe)"
    let path = Files.absolute(forecast)
    guard Files.exists(folder), try Lineage.read("\(folder)/\(RunFolder.lineageName)")?.forecast?.path != path else {
      return folder
    }
    var digest = Digest()
    digest.add(path)
    return "\(folder)-\(digest.text.prefix(8))"
  }

  /// In a folder of scores: what they were made from.
  static let lineageName = "lineage.json"
}
