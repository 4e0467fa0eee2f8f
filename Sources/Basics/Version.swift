/// The version of this program, as in CHANGELOG.md.
public let jigsawVersion = "0.1.0"
