import Basics
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// The paths that a pattern with `*`, `?` or `[…]` stands for, sorted; a path without these, and the address of something
/// remote, stands for itself.
public func expand(_ pattern: String) throws -> [String] {
  if HTTPStorage.isAddress(pattern) { return [pattern] }
  guard pattern.contains(where: { "*?[".contains($0) }), !Files.exists(pattern) else { return [pattern] }
  var result = glob_t()
  defer { globfree(&result) }
  guard glob(pattern, 0, nil, &result) == 0, result.gl_pathc > 0 else {
    throw JigsawError(
      pattern, "no file or folder matches this pattern",
      remedy: "check the path; relative ones start at the working folder")
  }
  return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
}
