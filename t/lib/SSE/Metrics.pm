package SSE::Metrics;

# The text format of Prometheus (0.0.4), read as strictly as it is defined: a family is described once, by HELP and TYPE, before
# its samples, which stand together; no series comes twice.
#
#   my $metrics = SSE::Metrics->of($server);          # scrapes /metrics
#   $metrics->value('sse_gaps_total', zone => 'events', reason => 'lost');
#   $metrics->sum('sse_gaps_total', zone => 'events'); # of all series with these labels

use v5.36;
use List::Util qw(sum0);

my $number = qr/[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf|NaN)/;

sub of ($class, $server, $path = '/metrics') {
    my $answer = $server->get($path);
    die "no metrics: ${\ $answer->status}\n" if $answer->status != 200;
    return $class->parse($answer->body);
}

sub parse ($class, $text) {
    my $self = bless { families => {}, series => {} }, $class;
    die "the last line does not end\n" if $text !~ /\n\z/;
    my ($family, %described);
    for my $line (split /\n/, $text) {
        if ($line =~ /\A# HELP (\w+) (.+)\z/) {
            die "$1 is described twice\n" if $described{$1}++;
            $family = $self->{families}{$1} = { name => $1, help => $2 };
        }
        elsif ($line =~ /\A# TYPE (\w+) (counter|gauge|histogram)\z/) {
            die "TYPE of $1 without its HELP\n" if !$family || $family->{name} ne $1;
            $family->{type} = $2;
        }
        elsif ($line =~ /\A(\w+)(?:\{(.*)\})? ($number)\z/) {
            my ($name, $labels, $value) = ($1, $2 // '', $3);
            my $suffix = $family && $family->{type} eq 'histogram' ? qr/(?:_bucket|_sum|_count)/ : qr//;
            die "$line: not of the family before it\n" if !$family || $name !~ /\A\Q$family->{name}\E$suffix\z/;
            $self->add($family, $name, $value, labels_of($labels, $line));
        }
        else { die "no line of the format: $line\n" }
    }
    return $self;
}

# Pairs of names and values; escapes are resolved.
sub labels_of ($text, $line) {
    my @labels;
    my %escaped = ('\\\\' => '\\', '\\"' => '"', '\\n' => "\n");
    while ($text =~ /\G([a-z]\w*)="((?:[^"\\]|\\\\|\\"|\\n)*)"(?:,(?=.)|\z)/gc) {
        my ($name, $value) = ($1, $2);
        push @labels, $name, $value =~ s/(\\.)/$escaped{$1}/gr;
    }
    die "no labels: $line\n" if (pos($text) // 0) != length $text;
    return @labels;
}

sub key ($name, %labels) { return join "\0", $name, map { "$_=$labels{$_}" } sort keys %labels }

sub add ($self, $family, $name, $value, @labels) {
    my $key = key($name, @labels);
    die "$key comes twice\n" if $self->{series}{$key};
    $family->{labels} = join ' ', map { $labels[2 * $_] } grep { $labels[2 * $_] ne 'le' } 0 .. $#labels / 2;
    $self->{series}{$key} = { family => $family, name => $name, labels => {@labels}, value => $value };
}

sub families ($self) { return $self->{families} }
sub all      ($self) { return values %{ $self->{series} } }

sub value ($self, $name, %labels) {
    my $series = $self->{series}{ key($name, %labels) } // die "no series $name\{@{[%labels]}}\n";
    return $series->{value};
}

sub select ($self, $name, %labels) {
    my @found = grep {
        my $series = $_;
        $series->{name} eq $name && !grep { ($series->{labels}{$_} // '') ne $labels{$_} } keys %labels;
    } $self->all;
    die "no series $name\{@{[%labels]}}\n" unless @found;
    return @found;
}

sub sum ($self, $name, %labels) { return sum0(map { $_->{value} } $self->select($name, %labels)) }

# What has gone back since an earlier scrape: names of counters, or of what counters a histogram has. A series that was there must
# still be there.
sub gone_back ($self, $before) {
    my @wrong;
    for my $key (sort keys %{ $before->{series} }) {
        my $old = $before->{series}{$key};
        next if $old->{family}{type} eq 'gauge';
        my $new = $self->{series}{$key};
        push @wrong, ($key =~ tr/\0/ /r) . ": $old->{value}, then " . ($new ? $new->{value} : 'nothing')
            if !$new || $new->{value} < $old->{value};
    }
    return @wrong;
}

# What docs/reference.md says of a zone at rest: each rule with the difference of its two sides, which is 0.
sub balances ($self, $zone) {
    my $sum = sub ($name, %labels) { return $self->sum($name, zone => $zone, %labels) };
    return {
        'opened is open and closed' =>
            $sum->('sse_subscribers_opened_total') - $sum->('sse_subscribers') - $sum->('sse_subscribers_closed_total'),
        'handed out is delivered live and deferred' =>
            $sum->('sse_handed_out_events_total') - $sum->('sse_delivered_events_total', way => 'live') - $sum->('sse_deferred_events_total'),
        'refused requests have reasons' =>
            $sum->('sse_publish_requests_total', outcome => 'refused') - $sum->('sse_publish_refusals_total'),
        'the log has what was published and not evicted' =>
            $sum->('sse_published_events_total') - $sum->('sse_log_events') - $sum->('sse_evicted_events_total'),
        'both histograms count the same batches' =>
            $sum->('sse_batch_events_count') - $sum->('sse_fanout_duration_seconds_count'),
    };
}

# Those that do not hold. `slack`: how many events a killed worker may have handed out and not counted as anything else.
sub does_not_add_up ($self, $zone, $slack = 0) {
    my $balance = $self->balances($zone);
    return map { "$_: $balance->{$_} too many" }
        grep { $balance->{$_} < 0 || $balance->{$_} > (/handed out/ ? $slack : 0) } sort keys %$balance;
}

# What is wrong with the buckets of a histogram.
sub is_no_histogram ($self, $name, $zone) {
    my $order = sub ($le) { return $le eq '+Inf' ? 9**9**9 : $le };
    my @bucket = sort { $order->($a->{labels}{le}) <=> $order->($b->{labels}{le}) } $self->select("${name}_bucket", zone => $zone);
    my @wrong;
    push @wrong, 'the last bucket is not +Inf' if $bucket[-1]{labels}{le} ne '+Inf';
    push @wrong, "bucket $bucket[$_]{labels}{le} is less than the one before" for grep { $bucket[$_]{value} < $bucket[$_ - 1]{value} } 1 .. $#bucket;
    my $count = $self->value("${name}_count", zone => $zone);
    push @wrong, "$count values, and $bucket[-1]{value} in the buckets" if $count != $bucket[-1]{value};
    push @wrong, 'a sum without values' if !$count && $self->value("${name}_sum", zone => $zone) != 0;
    return @wrong;
}

1;
