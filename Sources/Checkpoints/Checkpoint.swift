import Basics
import Communication
import Datasets
import Distribution
import Execution
import FoundationEssentials
import Models
import Stores
import Tensors

/// A checkpoint: a folder with a manifest and the numbers as safetensors. Ranks write and read it together, each its parts;
/// nothing in it depends on the mesh, so that training resumes on any number of ranks.
///
/// ```
/// update-0001000/
///   manifest.json            what the model is, reads and writes; where training stands
///   model.safetensors        the parameters by name
///   average.safetensors      their moving average, if there is one (what forecasts use)
///   optimizer.safetensors    moment1.NAME, moment2.NAME
///   points.safetensors       latitudes and longitudes, of points that are no raster
///   graph.safetensors        points and edges, of a model that computes on a graph (`GraphFile`)
/// ```
public struct Checkpoint: Sendable {
  public let path: String
  public let manifest: CheckpointManifest

  static let manifestName = "manifest.json"
  static let modelName = "model.safetensors"
  static let averageName = "average.safetensors"
  static let optimizerName = "optimizer.safetensors"
  static let graphName = "graph.safetensors"

  /// Opens a checkpoint folder and reads its manifest.
  public init(_ path: String) throws {
    self.path = path
    let file = "\(path)/\(Checkpoint.manifestName)"
    guard Files.isDirectory(path), Files.exists(file) else {
      throw JigsawError(
        path, "is not a checkpoint", expected: "a folder with \(Checkpoint.manifestName)",
        remedy: "name a folder such as RUN/checkpoints/update-0001000")
    }
    let bytes = try Files.read(file)
    // The format first: another one may differ in everything else.
    if let format = try? JSONDecoder().decode(Format.self, from: Data(bytes)),
      format.format != CheckpointManifest.currentFormat,
      format.format != CheckpointManifest.formatWithoutChecksums
    {
      throw JigsawError(
        file, "has another format", expected: CheckpointManifest.currentFormat, found: format.format,
        remedy: "load it with the version of jigsaw that wrote it\(format.version.map { " (\($0))" } ?? "")")
    }
    var manifest: CheckpointManifest
    do {
      manifest = try JSONDecoder().decode(CheckpointManifest.self, from: Data(bytes))
    } catch let unknown as UnknownModelFamily {
      throw JigsawError(
        file, "is of a model family that this version doesn't have",
        expected: ModelFamilies.names.joined(separator: ", "), found: unknown.name,
        remedy: "load it with the version of jigsaw that wrote it")
    } catch let unknown as UnknownModelSetting {
      throw JigsawError(
        file, "has a setting of the model that this version doesn't know", found: "model.\(unknown.name)",
        remedy: "load it with the version of jigsaw that wrote it")
    } catch {
      throw JigsawError(
        file, "can't be read as the manifest of a checkpoint",
        remedy: "it is damaged or from another version; use another")
    }
    if manifest.format == CheckpointManifest.currentFormat { try manifest.requireChecksum(of: bytes, file) }
    if let key = manifest.contradiction {
      throw JigsawError(file, "contradicts itself (\(key))", remedy: "it is damaged; use another checkpoint")
    }
    try manifest.readPoints(from: path)
    self.manifest = manifest
  }

  private struct Format: Decodable {
    let format: String
    let version: String?
  }

  /// Writes a checkpoint under a temporary name, syncs it, and renames it to `path`. All ranks call it together.
  ///
  /// - Parameter withMoments: whether training can resume from it; a checkpoint for forecasts needs only the weights.
  /// - Returns: its identity, on the first rank.
  /// - Throws: on every rank, if any of them can't write its part.
  @discardableResult
  public static func write(
    _ manifest: CheckpointManifest, _ rank: ModelRank, optimizer: OptimizerState, withMoments: Bool = true,
    to path: String
  ) throws -> Lineage.Model? {
    let world = rank.context.world
    var identity: Lineage.Model?
    // One name for all ranks.
    let temporary = try world.broadcast(world.rank == 0 ? Temporary.name(for: path) : "", from: 0)
    let files = parameterFiles(rank, optimizer, withMoments: withMoments, in: temporary)
    do {
      var created: [(headerChecksum: UInt32, length: Int)] = []
      try world.together(onlyOn: 0) {
        try Files.createNewDirectory(temporary, shownAs: path)
        for file in files {
          created.append(
            try file.create(rank.parameters.table, metadata: ["format": "pt", "jigsaw": manifest.version]))
        }
      }
      var own: [[UInt32]] = []
      try world.together { for file in files { own.append(try file.write(rank)) } }
      let remainders = try own.map { try CheckpointFile.whole($0, on: world) }
      try world.together(onlyOn: 0) {
        var manifest = manifest
        manifest.format = CheckpointManifest.currentFormat
        let points = try manifest.grid.write(to: temporary, metadata: ["jigsaw": manifest.version])
        manifest.files = points.map { [CheckpointGrid.fileName: $0] } ?? [:]
        for (index, file) in files.enumerated() {
          let name = String(file.path.split(separator: "/").last ?? "")
          manifest.files?[name] = CheckpointFile(
            length: created[index].length, headerChecksum: created[index].headerChecksum,
            tensors: zip(file.names(rank.parameters.table), remainders[index]).map { ($0.name, $0.byteCount, $1) })
        }
        if let graph = manifest.model.fields.graph {
          let version = manifest.version
          manifest.files?[graphName] = try write(graph, to: "\(temporary)/\(graphName)", version)
        }
        identity = manifest.identity
        try Files.writeAtomically(try manifest.document(), to: "\(temporary)/\(manifestName)")
        try Files.syncDirectory(temporary)
        try Files.replace(path, by: temporary)
      }
    } catch {
      if world.rank == 0 { try? Files.remove(temporary) }
      throw error
    }
    return identity
  }

  /// The files of parameters that a checkpoint in a folder consists of.
  private static func parameterFiles(
    _ rank: ModelRank, _ optimizer: OptimizerState, withMoments: Bool, in folder: String
  ) -> [ParameterFile] {
    func piece(_ memory: Tensor, _ prefix: String = "") -> ParameterFile.Piece {
      ParameterFile.Piece(prefix: prefix, memory: memory, shard: optimizer.shard)
    }
    var files = [
      ParameterFile(
        path: "\(folder)/\(modelName)",
        pieces: [ParameterFile.Piece(prefix: "", memory: rank.parameters.values, shard: nil)])
    ]
    if let average = optimizer.average {
      files.append(ParameterFile(path: "\(folder)/\(averageName)", pieces: [piece(average)]))
    }
    if withMoments {
      files.append(
        ParameterFile(
          path: "\(folder)/\(optimizerName)",
          pieces: [piece(optimizer.moment1, "moment1."), piece(optimizer.moment2, "moment2.")]))
    }
    return files
  }

  /// Which weights to load.
  public enum Weights {
    /// The weights as trained.
    case current
    /// The moving average where there is one, else as trained: what forecasts use.
    case averaged
  }

  /// Fills this rank's parts of the parameters of a model built from this checkpoint's description.
  ///
  /// - Parameter only: names of the parameters to fill; nil: all.
  public func load(_ weights: Weights, into rank: ModelRank, only: Set<String>? = nil) throws {
    try read(
      file(weights), [ParameterFile.Piece(prefix: "", memory: rank.parameters.values, shard: nil)], rank, only: only)
  }

  /// A whole tensor of the weights, compared with its checksum.
  func tensor(_ name: String, of weights: Weights) throws -> [Float] {
    let file = try Safetensors.File("\(path)/\(file(weights))")
    if let entry = file.entries[name], let record = try record(self.file(weights)) {
      try record.requireHeader(of: file)
      try record.require(name, file.checksum(entry), entry.range.count, place: file.path)
    }
    return try file.floats(name)
  }

  public func file(_ weights: Weights) -> String {
    weights == .averaged && hasAverage ? Checkpoint.averageName : Checkpoint.modelName
  }

  /// By the manifest, not by the files: one that is missing must not go unnoticed.
  private var hasAverage: Bool { manifest.optimizer.averageDecay > 0 }

  /// Whether training can resume from it.
  /// - Throws: when a file or a parameter that there should be is missing or has another shape.
  public func checkComplete(_ table: ParameterTable) throws -> Bool {
    let moments = "\(path)/\(Checkpoint.optimizerName)"
    let isResumable = Files.exists(moments)
    var files = [("\(path)/\(Checkpoint.modelName)", "")]
    if hasAverage { files.append(("\(path)/\(Checkpoint.averageName)", "")) }
    if isResumable { files += [(moments, "moment1."), (moments, "moment2.")] }
    for (file, prefix) in files {
      let opened = try Safetensors.File(file)
      for spec in table.specs { _ = try opened.entry(prefix + spec.name, shape: spec.shape) }
    }
    return isResumable
  }

  /// Fills the optimiser's moments and average, as far as this rank owns them.
  public func load(into optimizer: OptimizerState, _ rank: ModelRank) throws {
    func piece(_ memory: Tensor, _ prefix: String = "") -> ParameterFile.Piece {
      ParameterFile.Piece(prefix: prefix, memory: memory, shard: optimizer.shard)
    }
    let moments = [piece(optimizer.moment1, "moment1."), piece(optimizer.moment2, "moment2.")]
    try read(Checkpoint.optimizerName, moments, rank)
    if let average = optimizer.average {
      let name = hasAverage ? Checkpoint.averageName : Checkpoint.modelName
      try read(name, [piece(average)], rank)
    }
  }

  /// Reads a file, each rank its parts, and compares the checksums of the whole tensors with those of the manifest.
  /// - Throws: on every rank, naming the file and the tensor that is not what was written.
  private func read(
    _ name: String, _ pieces: [ParameterFile.Piece], _ rank: ModelRank, only: Set<String>? = nil
  ) throws {
    let file = ParameterFile(path: "\(path)/\(name)", pieces: pieces, only: only)
    let world = rank.context.world
    var own: [UInt32] = []
    try world.together {
      if let record = try record(name) { try record.requireHeader(of: Safetensors.File(file.path)) }
      own = try file.read(rank)
    }
    let whole = try CheckpointFile.whole(own, on: world)
    guard let record = try record(name) else { return }
    for ((tensor, byteCount), remainder) in zip(file.names(rank.parameters.table), whole) {
      try record.require(
        tensor, CRC32C.checksum(remainder: remainder, byteCount: byteCount), byteCount, place: file.path)
    }
  }

  /// Parameters as they are stored, and the manifest's checksums of them; none in checkpoints of version 0.1.
  /// - Throws: naming a tensor that is missing or not the one that was written.
  public func tensors(
    _ weights: Weights, _ table: ParameterTable
  ) throws -> (tensors: [String: Safetensors.Tensor], checksums: [String: String]) {
    let name = file(weights)
    let file = try Safetensors.File("\(path)/\(name)")
    let record = try record(name)
    try record?.requireHeader(of: file)
    var (tensors, checksums) = ([String: Safetensors.Tensor](), [String: String]())
    for spec in table.specs {
      let entry = try file.entry(spec.name, shape: spec.shape)
      if let record {
        let checksum = try file.checksum(entry)
        try record.require(spec.name, checksum, entry.range.count, place: file.path)
        checksums[spec.name] = CheckpointFile.text(checksum)
      }
      tensors[spec.name] = try file.tensor(spec.name)
    }
    return (tensors, checksums)
  }

  /// The manifest's record of a file; nil in checkpoints of version 0.1.
  private func record(_ name: String) throws -> CheckpointFile? {
    try manifest.record(name, in: path)
  }
}
