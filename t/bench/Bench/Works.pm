package Bench::Works;

# What is measured: the rows of the table, by subject in Bench/Works/.
#
# Each work: name, title, contestants (name of a server, @ how many workers), options of the servers, run (the server and a scale
# for how much is done in; a hash of figures out), shows (figure, label, unit), goals; starts (where figures jump from one start
# of a process to the next: how often each is started in a round; what counts is the distribution of all starts), tree (1: it needs
# what is built from this tree, so there is no older build to compare with). A goal: figure, of (the contestant that has it; default
# sse), to (what it is compared with; default: nothing) and at_most or at_least.

use v5.36;
use Bench::Works::Bus;
use Bench::Works::FanOut;
use Bench::Works::Idle;
use Bench::Works::Neighbours;
use Bench::Works::Publish;
use Bench::Works::Resume;
use Bench::Works::Upheavals;
use Exporter 'import';
our @EXPORT_OK = qw(works);

# Option: subscribers (of the work "many").
sub works (%option) {
    return (
        Bench::Works::FanOut::works(%option),
        Bench::Works::Publish::works(),
        Bench::Works::Idle::works(),
        Bench::Works::Resume::works(),
        Bench::Works::Neighbours::works(),
        Bench::Works::Upheavals::works(),
        Bench::Works::Bus::works(),
    );
}

1;
