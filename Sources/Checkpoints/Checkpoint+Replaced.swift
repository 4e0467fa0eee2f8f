import Basics
import Communication

/// A checkpoint that was replaced or removed by its training while it was read.
public struct ReplacedCheckpoint: Error {
  public let error: JigsawError
}

extension Checkpoint {
  /// Whether the manifest on disk is still the one that was opened.
  var isAsOpened: Bool { (try? Checkpoint(path))?.manifest == manifest }

  /// Reads of the checkpoint, on all ranks together.
  /// - Throws: a `ReplacedCheckpoint`, on all ranks, in place of the damage that a read finds in a checkpoint whose training has put
  ///   another in its place since it was opened.
  public func unlessReplaced(on world: any Communicator, _ body: () throws -> Void) throws {
    do { try world.together(body) } catch {
      if try world.all(isAsOpened) { throw error }
      throw ReplacedCheckpoint(
        error: JigsawError(
          path, "is replaced by its training again and again while it is read",
          remedy: "copy it elsewhere, and name the copy with --checkpoint"))
    }
  }

  /// All of it read and compared with the manifest as it is on disk then, a sentence for what is not as it was written.
  /// - Throws: when there is no such checkpoint, its manifest can't be read or has no checksums.
  public static func problems(at path: String) throws -> [JigsawError] {
    for _ in 0..<5 {
      let checkpoint = try Checkpoint(path)
      let problems = try checkpoint.problems()
      if problems.isEmpty || checkpoint.isAsOpened { return problems }
    }
    return [JigsawError(path, "is replaced by its training again and again", remedy: "verify a copy of it")]
  }
}
