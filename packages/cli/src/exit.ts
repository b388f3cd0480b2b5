// Exit codes: part of the command's contract.

/** 130 and 143 are what a shell expects of a process that Ctrl-C or SIGTERM ended. */
export const EXIT = {
  ok: 0,
  findings: 1,
  usage: 2,
  configuration: 3,
  partial: 4,
  interrupted: 130,
  terminated: 143,
} as const;
