// Read-only views of the whole kernel, for invariant checkers. Nothing here changes state or allocates.

public import Files
public import Processes

extension Kernel {
  /// The processes.
  public var inspectedProcesses: ProcessSystem { processes }

  /// The files.
  public var inspectedFiles: FileSystem { files }
}
